import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { SLOT_MS } from '../../src/mapping/look-ups.ts'
import type { OpenedSegment, SourceTotals } from '../../src/mapping/mapping-store.ts'
import { messageIdHash } from '../../src/mapping/message-id.ts'
import { SourceCounts } from '../../src/mapping/source-counts.ts'
import { columnsOf } from '../support/frame-columns.ts'
import {
  all,
  dekRecord,
  type MappingStoreParts,
  messagesFrom,
  rowsOf,
} from './mapping-store.contract.ts'

const DAY_MS = 86_400_000
/** The last half second of a day, so that an hour and a day later is another day. */
const OPENED_AT_MS = Date.UTC(2026, 2, 4, 23, 59, 59, 500)
const SLOT_OF_IT = Date.UTC(2026, 2, 4, 23, 50)

/** What every mapping store keeps to that answers by domain, source, offset and message id. */
export function lookUpsContract(parts: () => MappingStoreParts): void {
  domainsContract(parts)
  sourcesContract(parts)
  offsetsContract(parts)
}

function opened(createdAtMs = OPENED_AT_MS): OpenedSegment {
  return { dekId: randomUUID(), segmentId: randomUUID(), createdAtMs }
}

const keyOf = ({ dekId, segmentId }: OpenedSegment) => ({ dekId, segmentId })

function domainsContract(parts: () => MappingStoreParts): void {
  test('the DEKs of a key domain come oldest first over days, and no others', async () => {
    const { keys, reader } = parts()
    const keyDomain = `tenant/${randomUUID()}`
    const deks = [0, 400, 800, DAY_MS].map((laterMs) =>
      dekRecord({ keyDomain, createdAtMs: OPENED_AT_MS + laterMs }),
    )
    for (const dek of deks.toReversed()) await keys.recordDek(dek)
    await keys.recordDek(dekRecord({ keyDomain: `${keyDomain}2` }))
    const expected = deks.map(({ wrapped: _, ...entry }) => entry)
    expect(await all(reader.deksOfDomain(keyDomain))).toEqual(expected)
    expect(await all(reader.deksOfDomain(randomUUID()))).toEqual([])
    const named = await all(reader.keyDomains())
    expect(named.filter((name) => name === keyDomain)).toEqual([keyDomain])
    expect(named).toContain(`${keyDomain}2`)
  })
}

function sourcesContract(parts: () => MappingStoreParts): void {
  const totals = (topic: string, partition = 0, messageCount = 3): SourceTotals => ({
    ...{ topic, partition, firstOffset: 5, lastOffset: 9 },
    ...{ messageCount, bytes: 2 ** 32 + messageCount },
  })

  test('a segment is found by its sources before it is sealed, and then with what it holds', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const segment = opened()
    const frames = columnsOf([...messagesFrom(5, 3, topic, 1), ...messagesFrom(5, 1, topic, 7)])
    const found = (partition: number) => all(reader.segmentsOfTopic(topic, SLOT_OF_IT, partition))
    await writer.recordPlaces(segment, frames)
    expect(await found(1)).toEqual([{ ...keyOf(segment), partition: 1, totals: null }])
    await writer.recordTotals(segment, [totals(topic, 1)])
    const known = { messageCount: 3, bytes: 2 ** 32 + 3 }
    const one = { ...keyOf(segment), partition: 1, totals: known }
    expect(await found(1)).toEqual([one])
    const other = { ...keyOf(segment), partition: 7, totals: null }
    expect(await found(7)).toEqual([other])
    expect(await all(reader.segmentsOfTopic(topic, SLOT_OF_IT))).toEqual([one, other])
    expect(await found(2)).toEqual([])
    expect(await all(reader.segmentsOfTopic(topic, SLOT_OF_IT + SLOT_MS))).toEqual([])
  })

  test('notes in portions and repeated steps change nothing', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const segment = opened()
    const messages = messagesFrom(0, 600, topic)
    await writer.recordPlaces(segment, columnsOf(messages.slice(0, 100)))
    await writer.recordTotals(segment, [totals(topic)])
    await writer.recordPlaces(segment, columnsOf(messages))
    await writer.recordTotals(segment, [totals(topic)])
    const known = { messageCount: 3, bytes: 2 ** 32 + 3 }
    const found = await all(reader.segmentsOfTopic(topic, SLOT_OF_IT))
    expect(found).toEqual([{ ...keyOf(segment), partition: 0, totals: known }])
  })

  test('tells how much is missing of what a segment is found by', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const segment = opened()
    const frames = columnsOf([
      ...messagesFrom(0, 3, topic, 1),
      ...messagesFrom(5, 2, topic, 7),
      ...messagesFrom(0, 1, `${topic}-b`, 0),
    ])
    const sums = new SourceCounts().add(frames).all()
    expect(await reader.missingPlaces(segment, frames)).toBe(6)
    await writer.recordPlaces(segment, frames)
    expect(await reader.missingPlaces(segment, frames)).toBe(3)
    await writer.recordTotals(segment, sums.slice(0, 2))
    expect(await reader.missingPlaces(segment, frames)).toBe(1)
    await writer.recordTotals(segment, sums)
    expect(await reader.missingPlaces(segment, frames)).toBe(0)
    const other = { ...segment, dekId: randomUUID() }
    expect(await reader.missingPlaces(other, frames)).toBe(6)
  })

  test('segments of one slot are all found, one that has a twin under another DEK too', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const first = opened()
    const segments = [first, { ...first, dekId: randomUUID() }, opened(SLOT_OF_IT)]
    const next = opened(SLOT_OF_IT + SLOT_MS)
    for (const one of [...segments, next]) {
      await writer.recordPlaces(one, columnsOf(messagesFrom(0, 1, topic)))
    }
    const dekIds = async (slotMs: number) =>
      (await all(reader.segmentsOfTopic(topic, slotMs, 0))).map(({ dekId }) => dekId).sort()
    expect(await dekIds(SLOT_OF_IT)).toEqual(segments.map(({ dekId }) => dekId).sort())
    expect(await dekIds(SLOT_OF_IT + SLOT_MS)).toEqual([next.dekId])
    expect(await all(reader.sourceDays(topic))).toEqual([
      { partition: 0, dayMs: Date.UTC(2026, 2, 4) },
      { partition: 0, dayMs: Date.UTC(2026, 2, 5) },
    ])
    expect(await all(reader.topics())).toContain(topic)
  })

  test('a segment of 300 sources is found by each', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const segment = opened()
    const frames = Array.from({ length: 300 }, (_, i) => messagesFrom(i * 1000, 2, topic, i))
    await writer.recordPlaces(segment, columnsOf(frames.flat()))
    await writer.recordTotals(
      segment,
      frames.map((_, i) => totals(topic, i, i + 1)),
    )
    expect(await all(reader.sourceDays(topic))).toHaveLength(300)
    for (const partition of [0, 7, 8, 9, 31, 32, 33, 299]) {
      const [found] = await all(reader.segmentsOfTopic(topic, SLOT_OF_IT, partition))
      expect(found?.totals?.messageCount).toBe(partition + 1)
    }
  })

  test('a topic that nothing was sealed of has no days', async () => {
    expect(await all(parts().reader.sourceDays(randomUUID()))).toEqual([])
  })
}

function offsetsContract(parts: () => MappingStoreParts): void {
  test('a message is found by its offset, in every segment that has a frame of it', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const segments = [opened(), opened()] as const
    const offsets = [0, 255, 256, 2 ** 20 - 1, 2 ** 20, 2 ** 31, 2 ** 53 - 1]
    const messages = offsets.map((offset, i) => ({
      ...{ topic, partition: 4, offset, position: 100 * i, length: i + 1 },
    }))
    for (const [i, segment] of segments.entries()) {
      await writer.recordIntent({ ...segment, objectKey: `${i}.seal` })
      const frames = columnsOf(i === 0 ? messages : messages.slice(0, 1))
      await writer.recordPlaces(segment, frames)
      await writer.writeRows(segment, `${i}.seal`, frames)
    }
    for (const message of messages) {
      const near = await all(reader.segmentsNear(message))
      expect(near).toContainEqual(keyOf(segments[0]))
      expect(await reader.findMessage(rowsOf(segments[0]), message)).toEqual(message)
    }
    const [first, second] = messages
    if (first === undefined || second === undefined) throw new Error('no messages')
    expect(await all(reader.segmentsNear(first))).toHaveLength(2)
    expect(await reader.findMessage(rowsOf(segments[1]), second)).toBeNull()
    expect(await all(reader.segmentsNear({ ...first, offset: 2 ** 40 }))).toEqual([])
    expect(await all(reader.segmentsNear({ ...first, partition: 5 }))).toEqual([])
    expect(await reader.findSegment(segments[1])).toMatchObject({ objectKey: '1.seal' })
    expect(await reader.findSegment(opened())).toBeNull()
  })

  test('messages are found by the hash of their id: several of one id, over hours and segments', async () => {
    const { writer, reader } = parts()
    const topic = randomUUID()
    const [same, other] = [messageIdHash(Buffer.from(topic)), messageIdHash(Buffer.from('other'))]
    const segments = [opened(), opened(), opened(OPENED_AT_MS + DAY_MS)]
    for (const [i, segment] of segments.entries()) {
      const frames = columnsOf(messagesFrom(i * 10, 3, topic))
      const hash = Buffer.concat([other, same, same])
      await writer.recordMessageIds(segment, frames, { frame: Uint32Array.of(0, 1, 2), hash })
      await writer.recordMessageIds(segment, frames, { frame: Uint32Array.of(0, 1, 2), hash })
    }
    const found = await all(reader.messagesWithId(same))
    expect(found.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual([1, 2, 11, 12, 21, 22])
    for (const { offset, ...one } of found) {
      const segment = segments[Math.floor(offset / 10)] as OpenedSegment
      expect(one).toEqual({ ...keyOf(segment), topic, partition: 0 })
    }
    expect(await all(reader.messagesWithId(messageIdHash(Buffer.from(randomUUID()))))).toEqual([])
  })
}
