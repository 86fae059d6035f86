import { describe, expect, it } from 'vitest'
import { BatchRecords } from '../../../src/adapters/kafka/record-decoder.ts'
import {
  RECORD_RUN_BYTES_MAX,
  type RecordRun,
  RecordRunWriter,
  runValues,
} from '../../../src/format/record-run.ts'

function runsOf(values: readonly string[]): RecordRun[] {
  const writer = new RecordRunWriter()
  for (const value of values) writer.add(value)
  return writer.take()
}

/** What a consumer reads of the one batch that a run becomes. */
function decoded({ bytes, count }: RecordRun) {
  const batch = { firstOffset: 0, lastOffset: count - 1, timestampMs: 7n } as const
  return [...new BatchRecords(Buffer.from(bytes), count, { ...batch, timestampType: 'create' })]
}

/** Lengths on both sides of every step of a varint, and every byte there is. */
const ODD = [0, 1, 63, 64, 8_191, 8_192, 4_095, 4_096, 70_000].map((length) => 'x'.repeat(length))
const EVERY_BYTE = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')

describe('a run of records', () => {
  it('is what a decoder of Kafka records reads back: values, no keys, no headers, one time', () => {
    const values = [...ODD, EVERY_BYTE]
    const [run, ...more] = runsOf(values) as [RecordRun]
    expect(more).toEqual([])
    const records = decoded(run)
    expect(records.map(({ value }) => Buffer.from(value ?? []).toString('latin1'))).toEqual(values)
    expect(records.map(({ offset }) => offset)).toEqual(values.map((_, i) => i))
    for (const record of records) {
      expect(record).toMatchObject({ key: null, headers: [], timestampMs: 7n })
    }
  })

  it('gives its values back', () => {
    const values = [...ODD, EVERY_BYTE]
    expect(runsOf(values).flatMap((run) => [...runValues(run)])).toEqual(values)
  })

  it('ends before it is too long, and counts its records anew in the next', () => {
    const values = Array.from({ length: 6_000 }, (_, i) => `${i}`.padStart(200, '.'))
    const runs = runsOf(values)
    expect(runs).toHaveLength(3)
    for (const { bytes } of runs) expect(bytes.length).toBeLessThanOrEqual(RECORD_RUN_BYTES_MAX)
    expect(runs.flatMap((run) => [...runValues(run)])).toEqual(values)
    for (const run of runs) expect(decoded(run)).toHaveLength(run.count)
  })

  it('is longer where one value alone is', () => {
    const large = 'y'.repeat(RECORD_RUN_BYTES_MAX)
    expect(runsOf(['a', large, 'b']).map(({ count }) => count)).toEqual([1, 1, 1])
  })

  it('is none where there was nothing', () => {
    expect(runsOf([])).toEqual([])
  })

  it('begins anew once what was there is taken', () => {
    const writer = new RecordRunWriter()
    writer.add('a')
    writer.take()
    writer.add('b')
    expect(writer.take().flatMap((run) => [...runValues(run)])).toEqual(['b'])
  })
})
