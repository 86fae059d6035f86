import { describe, expect, test } from 'vitest'
import { readsAndWrites, requestsOf } from '../../../bench/host/s3-requests.ts'
import { BatchTemplate } from '../../../bench/kafka/batch-template.ts'
import { meanBytesOf, templatesOf } from '../../../bench/kafka/contents.ts'
import { ProducedLog } from '../../../bench/kafka/fill.ts'
import { ReferenceTally } from '../../../bench/road/reference-tally.ts'
import { setIn } from '../../../bench/road/road-config.ts'
import { sustained } from '../../../bench/road/road-watch.ts'
import { decodeRecordSet } from '../../../src/adapters/kafka/record-batch.ts'

const CONTENTS = Array.from({ length: 5 }, (_, i) => ({
  key: i === 1 ? Buffer.from('key') : null,
  value: Buffer.from(`value ${i}`),
  headers: i === 2 ? [['tenant', Buffer.from('a')] as const] : [],
}))

/** As a fetch response has it: behind the length of all batches. */
async function decode(pieces: readonly Buffer[]) {
  const set = Buffer.concat(pieces)
  const length = Buffer.alloc(4)
  length.writeInt32BE(set.length)
  return decodeRecordSet({ buffer: Buffer.concat([length, set]), offset: 0 })
}

describe('a batch from a template', () => {
  test('is one that the product reads, with any number of records', async () => {
    const template = new BatchTemplate(CONTENTS)
    for (const count of [1, 3, 5]) {
      const { batches, failure } = await decode(template.batch(count, 1_700_000_000_000))
      expect(failure).toBeNull()
      const records = [...(batches[0]?.records ?? [])]
      expect(records).toHaveLength(count)
      records.forEach((record, i) => {
        expect(record.offset).toBe(i)
        expect(record.timestampMs).toBe(1_700_000_000_000n)
        expect(String(record.value)).toBe(`value ${i}`)
      })
    }
  })

  test('takes a new timestamp', async () => {
    const template = new BatchTemplate(CONTENTS)
    template.batch(5, 1)
    const { batches } = await decode(template.batch(5, 2))
    expect([...(batches[0]?.records ?? [])][0]?.timestampMs).toBe(2n)
  })
})

describe('what was produced', () => {
  test('is found by partition and offset', () => {
    const template = new BatchTemplate(CONTENTS)
    const log = new ProducedLog('t', 2)
    log.add(0, 0, 5, { template, timestampMs: 1 })
    log.add(0, 5, 2, { template, timestampMs: 2 })
    expect(log.messages).toBe(7)
    expect(String(log.at(0, 4)?.value)).toBe('value 4')
    expect(log.at(0, 6)).toMatchObject({ value: CONTENTS[1]?.value, timestampMs: 2 })
    expect(log.at(0, 7)).toBeNull()
    expect(log.at(1, 0)).toBeNull()
  })

  test('differs from message to message and has the sizes that were asked for', () => {
    const values = templatesOf({ size: 100, domains: 3 }).flatMap(({ contents }) => contents)
    expect(values.every(({ value }) => value.length === 100)).toBe(true)
    const texts = values.map(({ value }) => Buffer.from(value).toString('hex'))
    expect(new Set(texts).size).toBe(values.length)
    const tenants = values.map(({ headers }) => String(headers[0]?.[1]))
    expect([...new Set(tenants)].sort()).toEqual(['tenant-0', 'tenant-1', 'tenant-2'])
  })

  test('has about the mean of the mix', () => {
    const shape = { size: 'mix', domains: 0 } as const
    const values = templatesOf(shape).flatMap(({ contents }) => contents)
    const mean = values.reduce((sum, { value }) => sum + value.length, 0) / values.length
    expect(mean / meanBytesOf(shape)).toBeGreaterThan(0.7)
    expect(mean / meanBytesOf(shape)).toBeLessThan(1.3)
  })
})

describe('a tally of references', () => {
  test('finds nothing wrong when each message came once', () => {
    const tally = new ReferenceTally([2, 1])
    for (const [partition, offset] of [
      [0, 1],
      [1, 0],
      [0, 0],
    ] as const)
      tally.see(partition, offset)
    expect(tally.faults()).toEqual([])
    expect(tally.references).toBe(3)
  })

  test('names what came twice, was never produced, or is missing', () => {
    const tally = new ReferenceTally([2, 1])
    for (const [partition, offset] of [
      [0, 1],
      [0, 1],
      [0, 2],
      [5, 0],
    ] as const)
      tally.see(partition, offset)
    expect(tally.faults()).toEqual([
      '0@1 twice',
      '0@2 unknown',
      '5@0 unknown',
      '0@0 missing',
      '1@0 missing',
    ])
  })
})

describe('settings of a measured encryptor', () => {
  test('go into the tree as YAML has them', () => {
    const tree = { segment: { ageMs: '1s' } }
    setIn(tree, 'segment.ageMs=25ms')
    setIn(tree, 'workers.threads=1')
    setIn(tree, 'http.enabled=false')
    expect(tree).toEqual({
      segment: { ageMs: '25ms' },
      workers: { threads: 1 },
      http: { enabled: false },
    })
    expect(() => setIn(tree, 'nothing')).toThrow('path.to.key=value')
  })
})

describe('figures of the road', () => {
  test('leave out start and end of the rate', () => {
    const progress = Array.from({ length: 11 }, (_, i) => ({ seconds: i + 3, references: i * 10 }))
    expect(sustained([{ seconds: 0, references: 0 }, ...progress])).toBeCloseTo(10, 6)
    expect(sustained([{ seconds: 2, references: 50 }])).toBe(25)
  })

  test('count the requests that the log of the S3 server names', () => {
    const log = [
      'x s3_PutObject y',
      'x s3_UploadPart y',
      'x s3_GetObject y',
      's3_PutObject',
      '',
    ].join('\n')
    expect(requestsOf(log)).toEqual({ PutObject: 2, UploadPart: 1, GetObject: 1 })
    expect(readsAndWrites(requestsOf(log))).toEqual({ reads: 1, writes: 3 })
  })
})
