import { describe, expect, test } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import type { SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { Findings } from '../../../src/verify/findings.ts'
import { OffsetSet } from '../../../src/verify/offset-set.ts'
import type { RecordLog } from '../../../src/verify/ports.ts'
import {
  NOTES,
  PREFIX,
  produce,
  REFERENCES,
  SealedWorld,
  TOPIC,
} from '../../support/sealed-world.ts'

const HOUR_MS = 60 * 60_000
const at = { topic: TOPIC, partition: 0 }
const references = { topic: REFERENCES, partition: 0 }

/** The wrong kinds, and those counts that are not zero. */
function outline({ wrong, counts }: Awaited<ReturnType<SealedWorld['verify']>>) {
  const some = (all: object) => Object.entries(all).filter(([, count]) => count)
  return { wrong: Object.fromEntries(some(wrong)), counts: Object.fromEntries(some(counts)) }
}

describe('what Kafka no longer holds', () => {
  test('of the source is opened and not compared', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 30))
    world.log.deleteBefore(at, 12)
    expect(outline(await world.verify())).toMatchObject({
      wrong: {},
      counts: { messages: 18, messageGone: 12, openedEqual: 18, openedAlone: 12, references: 30 },
    })
    const [segment] = world.segments
    segment?.frames.clear()
    expect(outline(await world.verify()).wrong).toEqual({ altered: 30 })
  })

  test('of the source while it is read', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 30))
    const { log } = world
    const during: RecordLog = {
      bounds: (topic) => log.bounds(topic),
      isCompacted: (topic) => log.isCompacted(topic),
      committed: (topic) => log.committed(topic),
      async *read(place, from, to, atOpen) {
        for await (const chunk of log.read(place, from, to, atOpen)) {
          yield chunk
          if (place.topic === TOPIC) log.deleteBefore(at, 20)
        }
      },
    }
    expect(outline(await world.verify({ log: during })).wrong).toEqual({})
  })

  test('of the references is not lost, and its rows are not too many', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 30))
    world.log.deleteBefore(references, 10)
    expect(outline(await world.verify())).toMatchObject({
      wrong: {},
      counts: { messages: 30, referenceGone: 10, openedEqual: 20, references: 20 },
    })
    world.log.deleteBefore(references, 31)
    expect(outline(await world.verify())).toMatchObject({
      wrong: {},
      counts: { referenceGone: 30 },
    })
  })

  test('of a compacted source is opened and not compared', async () => {
    const world = new SealedWorld(1, true)
    world.seal(produce(world, 0, 10))
    for (const offset of [3, 4, 9]) world.log.erase(at, offset)
    expect(outline(await world.verify())).toMatchObject({
      wrong: {},
      counts: { messages: 7, messageGone: 3, openedEqual: 7, openedAlone: 3 },
    })
  })

  test('of a source that is not compacted was never there', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 10))
    for (const offset of [3, 4]) world.log.erase(at, offset)
    // Their rows are those of messages that never were, too.
    expect(outline(await world.verify()).wrong).toMatchObject({ stray: 2 })
  })
})

describe('beside encryptors that run', () => {
  test('what was published since is neither compared nor wrong', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 10))
    const { log } = world
    let isFirst = true
    const during: RecordLog = {
      isCompacted: (topic) => log.isCompacted(topic),
      read: (...args) => log.read(...args),
      bounds: (topic) => log.bounds(topic),
      async committed(topic) {
        const committed = await log.committed(topic)
        if (isFirst) world.seal(produce(world, 0, 5))
        isFirst = false
        return committed
      },
    }
    expect(outline(await world.verify({ log: during }))).toMatchObject({
      wrong: {},
      counts: { messages: 10, notSealedYet: 5, openedEqual: 10, openedAlone: 5, references: 15 },
    })
  })

  test('an intent that came after the register was read names its object', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 10))
    const late = world.store(produce(world, 0, 3))
    world.uploads.push({ key: late.entry.objectKey, uploadId: 'u', startedAtMs: 0 })
    world.hidden.add(late)
    const { inventory } = world.services
    const verification = await world.verify({
      inventory: {
        uploads: (prefix) => inventory.uploads(prefix),
        async *objects(prefix) {
          yield* inventory.objects(prefix)
          world.hidden.clear()
        },
      },
    })
    expect(outline(verification).wrong).toEqual({})
  })

  test('tells how many unreferenced objects are young; none when not every topic was read', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 10))
    world.store(produce(world, 0, 3))
    world.clock.advance(HOUR_MS)
    world.store(produce(world, 0, 3))
    expect((await world.verify()).counts).toMatchObject({
      ...{ objects: 3, unreferencedObjects: 2, unreferencedYoung: 1 },
    })
    expect((await world.verify({}, { isEveryTopic: false })).counts).toMatchObject({
      ...{ unreferencedObjects: null, unreferencedYoung: null },
    })
  })
})

describe('a verification', () => {
  test('that is stopped tells what it found, and that it is not complete', async () => {
    const world = new SealedWorld(2)
    world.seal(produce(world, 0, 10))
    world.put(`${PREFIX}/segments/x.seal`)
    const stop = new AbortController()
    const { inventory } = world.services
    const stopped = await world.verify(
      {
        inventory: {
          objects: (prefix) => inventory.objects(prefix),
          async *uploads() {
            stop.abort()
            yield { key: `${PREFIX}/segments/y.seal`, uploadId: 'u', startedAtMs: 0 }
          },
        },
      },
      {},
      stop.signal,
    )
    expect(stopped).toMatchObject({ isComplete: false, isConsistent: true })
    expect(stopped.counts.openedEqual).toBe(10)
  })

  test('throws when a service does not answer', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 10))
    const away = new SealError('SEAL_KMS_UNAVAILABLE', 'away', { retryable: true })
    await expect(world.verify({ opener: { open: () => Promise.reject(away) } })).rejects.toBe(away)
    await expect(world.verify({}, { topics: ['nowhere'] })).rejects.toMatchObject({
      code: 'SEAL_TOPIC_MISSING',
    })
  })

  test('without opening still sees that an object is not there', async () => {
    const world = new SealedWorld(1)
    const { rows } = world.seal(produce(world, 0, 10))
    expect(outline(await world.verify({ opener: null }))).toMatchObject({
      wrong: {},
      counts: { messages: 10 },
    })
    world.objects.splice(0)
    expect(outline(await world.verify({ opener: null })).wrong).toEqual({ dangling: rows.length })
  })

  test('sees without opening that a reference leads out of the folder of the segments', async () => {
    const world = new SealedWorld(1)
    world.seal(produce(world, 0, 10).slice(0, 10))
    world.log.rewrite({ topic: REFERENCES, partition: 0 }, ([first, ...others]) => {
      const reference = JSON.parse(String(first?.value))
      const value = Buffer.from(JSON.stringify({ ...reference, object: 'elsewhere/one.seal' }))
      return [{ ...(first as Message), value }, ...others]
    })
    const { wrong } = outline(await world.verify({ opener: null }))
    expect(wrong).toEqual({ unmapped: 1, overmapped: 1 })
  })

  test('tells of a mapping that is damaged, and goes on with the other segments', async () => {
    const world = new SealedWorld(1)
    const messages = produce(world, 0, 30)
    world.seal(messages.slice(0, 10))
    world.seal(messages.slice(10))
    const damage = new SealError('SEAL_MALFORMED', 'message_runs holds a damaged run')
    const { framesOfSegment } = world.services.mapping
    const {
      objectKey: object,
      dekId,
      segmentId,
    } = world.segments.map(({ entry }) => entry)[0] as SegmentEntry
    const mapping = {
      async *framesOfSegment(wanted: Parameters<typeof framesOfSegment>[0]) {
        if (wanted.segmentId === segmentId) throw damage
        yield* framesOfSegment(wanted)
      },
    }
    const { findings, wrong } = await world.verify({ mapping })
    expect(wrong.unmapped).toBe(10)
    const found = { kind: 'unmapped', count: 10, object, dekId, meaning: damage.message }
    expect(findings).toEqual([found])
  })

  test('takes nothing for a note that is none', async () => {
    const world = new SealedWorld(1)
    produce(world, 0, 1)
    const forged = JSON.stringify({ topic: TOPIC, partition: 0, offset: 0 })
    const headers: Message['headers'] = []
    const plain = { key: null, value: Buffer.from(forged), headers, timestampMs: 0n }
    world.log.append({ topic: NOTES, partition: 0 }, { ...plain, timestampType: 'create' })
    world.log.commit(at, 1)
    expect(outline(await world.verify()).wrong).toEqual({ lost: 1 })
  })

  test('takes a missing reference topic for an empty one', async () => {
    const world = new SealedWorld(1)
    produce(world, 0, 10)
    const settings = { referenceTopicSuffix: '.other', quarantineTopicSuffix: '.none' }
    expect(outline(await world.verify({}, settings))).toEqual({
      wrong: {},
      counts: { notSealedYet: 10 },
    })
    world.log.commit(at, 10)
    expect(outline(await world.verify({}, settings)).wrong).toEqual({ lost: 10 })
  })

  test('tells lost messages in a row as one finding', async () => {
    const world = new SealedWorld(1)
    produce(world, 0, 10)
    world.log.appendOther(at, 'marker')
    produce(world, 0, 1)
    world.log.commit(at, 12)
    expect((await world.verify()).findings).toMatchObject([
      { kind: 'lost', topic: TOPIC, partition: 0, offset: 0, lastOffset: 9, count: 10 },
      { kind: 'lost', topic: TOPIC, partition: 0, offset: 11, count: 1 },
    ])
  })
})

describe('findings', () => {
  test('are kept up to a number of each kind, and all counted', () => {
    const findings = new Findings(2)
    for (let i = 0; i < 5; i++) findings.add({ kind: 'keyRecord', dekId: `${i}`, meaning: 'gone' })
    findings.add({ kind: 'lost', topic: 't', partition: 0, offset: 1, meaning: 'lost' })
    expect(findings.list().map(({ kind }) => kind)).toEqual(['lost', 'keyRecord', 'keyRecord'])
    expect(findings.counts).toMatchObject({ keyRecord: 5, lost: 1 })
  })

  test('of one message after the other become one, where all else is the same', () => {
    const findings = new Findings(10)
    const of = (offset: number, object: string) =>
      findings.add({ kind: 'dangling', topic: 't', partition: 0, offset, object, meaning: 'gone' })
    for (const offset of [3, 4, 8]) of(offset, 'a')
    of(5, 'b')
    of(9, 'a')
    expect(findings.list()).toMatchObject([
      { offset: 3, lastOffset: 9, count: 4, object: 'a' },
      { offset: 5, count: 1, object: 'b' },
    ])
  })
})

describe('a set of offsets', () => {
  test('keeps what was added and not taken out, as ranges', () => {
    const set = new OffsetSet()
    const plain = new Set<number>()
    let dice = 7
    for (let i = 0; i < 3_000; i++) {
      dice = (dice * 1_103_515_245 + 12_345) % 2 ** 31
      const offset = dice % 60
      if (dice % 3 === 0) {
        expect(set.delete(offset)).toBe(plain.delete(offset))
      } else {
        set.add(offset)
        plain.add(offset)
      }
      expect(set.has(offset)).toBe(plain.has(offset))
      const ranges = [...set.ranges()]
      const listed = ranges.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, at) => first + at),
      )
      expect(listed).toEqual([...plain].sort((a, b) => a - b))
      // Neighbours are joined.
      for (const [at, { last }] of ranges.entries()) {
        expect(ranges[at + 1]?.first ?? last + 2).toBeGreaterThan(last + 1)
      }
      expect(set.countFrom(30)).toBe([...plain].filter((one) => one >= 30).length)
    }
  })
})
