import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { DekRecord, KeyStore } from '../../src/keys/key-store.ts'
import type { LookUps } from '../../src/mapping/look-ups.ts'
import { messagesOf } from '../../src/mapping/mapped-messages.ts'
import type {
  MappedMessage,
  MappingReader,
  MappingWriter,
  SegmentKey,
} from '../../src/mapping/mapping-store.ts'
import { columnsOf } from '../support/frame-columns.ts'

export { columnsOf }

/** The three sides of one mapping store, over the same data. */
export interface MappingStoreParts {
  readonly writer: MappingWriter
  readonly reader: MappingReader & LookUps
  readonly keys: KeyStore
}

const CREATED_AT_MS = Date.UTC(2026, 2, 4, 23, 59, 59, 500)

/** What an entry says of a segment that was never re-encrypted. */
export const FIRST_WRITING = { replaces: null, replaced: null, successors: [] }

/** Where the rows of a segment are that was never re-encrypted. */
export const rowsOf = ({ dekId, segmentId }: SegmentKey) => ({ rowsDekId: dekId, segmentId })

/** `count` messages of one partition, offsets rising from `base`. */
export function messagesFrom(
  base: number,
  count: number,
  topic = 'orders',
  partition = 0,
): MappedMessage[] {
  return Array.from({ length: count }, (_, i) => ({
    topic,
    partition,
    offset: base + i,
    position: 64 + i * 100,
    length: 100,
  }))
}

/** A DEK of a KEK that no other test knows, unless told otherwise. */
export function dekRecord(changes: Partial<DekRecord> = {}): DekRecord {
  return {
    dekId: randomUUID(),
    keyDomain: 'orders',
    kekId: `arn:aws:kms:eu-west-1:111122223333:key/${randomUUID()}`,
    kekVersion: '3',
    wrapped: new Uint8Array([1, 2, 3]),
    createdAtMs: CREATED_AT_MS,
    ...changes,
  }
}

/** Everything an async iterable yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** What every mapping store keeps to. `parts` is called inside the tests. */
export function mappingStoreContract(parts: () => MappingStoreParts): void {
  deksContract(parts)
  segmentsContract(parts)
  mappedMessagesContract(parts)
}

function deksContract(parts: () => MappingStoreParts): void {
  test('a DEK is found as it was recorded, also when recorded twice', async () => {
    const { keys, reader } = parts()
    const { wrapped: _, ...entry } = dekRecord()
    const record = { ...entry, wrapped: new Uint8Array([9, 8, 7]).subarray(1) }
    await keys.recordDek(record)
    await keys.recordDek(record)
    expect(await reader.findDek(entry.dekId)).toEqual(entry)
    expect(await all(reader.deksOfKek(entry.kekId))).toEqual([entry])
  })

  test('an unknown DEK is null, and an unknown KEK has no DEKs', async () => {
    const { reader } = parts()
    expect(await reader.findDek(randomUUID())).toBeNull()
    expect(await all(reader.deksOfKek(randomUUID()))).toEqual([])
  })

  test('a DEK whose KEK tells no version is found, but not under a version', async () => {
    const { keys, reader } = parts()
    const dek = dekRecord({ kekVersion: null })
    await keys.recordDek(dek)
    expect((await reader.findDek(dek.dekId))?.kekVersion).toBeNull()
    expect((await all(reader.deksOfKek(dek.kekId))).map((one) => one.kekVersion)).toEqual([null])
    expect(await all(reader.deksOfKek(dek.kekId, '3'))).toEqual([])
  })

  test('the DEKs of a KEK come oldest first over days and versions, and by version', async () => {
    const { keys, reader } = parts()
    const { kekId } = dekRecord()
    const deks = ['9', '10', '10', '11'].map((kekVersion, i) =>
      dekRecord({ kekId, kekVersion, createdAtMs: CREATED_AT_MS + i * 400 }),
    )
    for (const dek of deks.toReversed()) await keys.recordDek(dek)
    const idsOf = async (version?: string) =>
      (await all(reader.deksOfKek(kekId, version))).map((dek) => dek.dekId)
    expect(await idsOf()).toEqual(deks.map((dek) => dek.dekId))
    expect(await idsOf('10')).toEqual([deks[1]?.dekId, deks[2]?.dekId])
  })

  test('a KEK is found by the bare id at the end of its ARN, in every region', async () => {
    const { keys, reader } = parts()
    const bare = `mrk-${randomUUID()}`
    const deks = ['eu-west-1', 'us-east-1'].map((region) =>
      dekRecord({ kekId: `arn:aws:kms:${region}:111122223333:key/${bare}` }),
    )
    for (const dek of deks) await keys.recordDek(dek)
    const found = await all(reader.deksOfKek(bare))
    expect(found.map((dek) => dek.dekId).sort()).toEqual(deks.map((dek) => dek.dekId).sort())
    expect(await all(reader.deksOfKek(deks[0]?.kekId ?? ''))).toHaveLength(1)
  })
}

function segmentsContract(parts: () => MappingStoreParts): void {
  test('a segment goes from intended to sealed to published', async () => {
    const { writer, reader } = parts()
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const intent = { ...segment, objectKey: 'segments/a.seal', createdAtMs: CREATED_AT_MS }
    const summary = { ...segment, messageCount: 7, bytes: 2 ** 32 + 5, sealedAtMs: CREATED_AT_MS }
    const entries = () => all(reader.segmentsOfDek(segment.dekId))

    await writer.recordIntent(intent)
    const known = { ...intent, ...FIRST_WRITING, rowsDekId: segment.dekId, sweptAtMs: null }
    const unsealed = { sealedAtMs: null, messageCount: null, bytes: null }
    expect(await entries()).toEqual([{ ...known, state: 'intended', ...unsealed }])
    await writer.recordSealed(summary)
    const totals = { sealedAtMs: CREATED_AT_MS, messageCount: 7, bytes: 2 ** 32 + 5 }
    expect(await entries()).toEqual([{ ...known, state: 'sealed', ...totals }])
    await writer.recordPublished(segment, CREATED_AT_MS)
    expect(await entries()).toEqual([{ ...known, state: 'published', ...totals }])
  })

  test('a repeated step does not take a segment back', async () => {
    const { writer, reader } = parts()
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const intent = { ...segment, objectKey: 'segments/a.seal', createdAtMs: CREATED_AT_MS }
    const summary = { ...segment, messageCount: 1, bytes: 10, sealedAtMs: CREATED_AT_MS }
    await writer.recordIntent(intent)
    await writer.recordSealed(summary)
    await writer.recordPublished(segment, CREATED_AT_MS)
    await writer.recordIntent(intent)
    await writer.recordSealed(summary)
    const [entry] = await all(reader.segmentsOfDek(segment.dekId))
    expect(entry).toMatchObject({ ...intent, state: 'published', messageCount: 1, bytes: 10 })
  })

  test('segments of one DEK stay apart, and those of another DEK stay out', async () => {
    const { writer, reader } = parts()
    const dekId = randomUUID()
    const keys = [dekId, dekId, randomUUID()].map((id) => ({ dekId: id, segmentId: randomUUID() }))
    for (const [i, key] of keys.entries()) {
      const objectKey = `segments/${i}.seal`
      await writer.recordIntent({ ...key, objectKey, createdAtMs: CREATED_AT_MS })
      await writer.writeRows(key, objectKey, columnsOf(messagesFrom(i * 10, i + 1)))
    }
    const found = await all(reader.segmentsOfDek(dekId))
    expect(found.map((one) => one.segmentId).sort()).toEqual(
      keys
        .slice(0, 2)
        .map((key) => key.segmentId)
        .sort(),
    )
    const [first, second] = keys as [SegmentKey, SegmentKey]
    expect(await all(messagesOf(reader, rowsOf(first)))).toEqual(messagesFrom(0, 1))
    expect(await all(messagesOf(reader, rowsOf(second)))).toEqual(messagesFrom(10, 2))
  })

  test('a mark whose intent is not on record makes no segment', async () => {
    const { writer, reader } = parts()
    const [dekId, segmentId] = [randomUUID(), randomUUID()]
    await writer.recordPublished({ dekId, segmentId }, CREATED_AT_MS)
    await writer.recordSealed({
      ...{ dekId, segmentId: randomUUID() },
      ...{ messageCount: 1, bytes: 1, sealedAtMs: CREATED_AT_MS },
    })
    expect(await all(reader.segmentsOfDek(dekId))).toEqual([])
  })

  test('a segment is found by DEK and segment, and by nothing else', async () => {
    const { writer, reader } = parts()
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const intent = { ...segment, objectKey: 'segments/a.seal', createdAtMs: CREATED_AT_MS }
    expect(await reader.findSegment(segment)).toBeNull()
    await writer.recordPublished(segment, CREATED_AT_MS)
    expect(await reader.findSegment(segment)).toBeNull()
    await writer.recordIntent(intent)
    expect([await reader.findSegment(segment)]).toEqual(
      await all(reader.segmentsOfDek(segment.dekId)),
    )
    expect(await reader.findSegment({ ...segment, segmentId: randomUUID() })).toBeNull()
    expect(await reader.findSegment({ ...segment, dekId: randomUUID() })).toBeNull()
  })

  test('what was written before the intent belongs to the segment once that is there', async () => {
    const { writer, reader } = parts()
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const intent = { ...segment, objectKey: 'segments/a.seal', createdAtMs: CREATED_AT_MS }
    const totals = { messageCount: 3, bytes: 460 }
    await writer.recordPublished(segment, CREATED_AT_MS)
    await writer.writeRows(segment, intent.objectKey, columnsOf(messagesFrom(0, 3)))
    await writer.recordSealed({ ...segment, ...totals, sealedAtMs: CREATED_AT_MS })
    await writer.recordIntent(intent)
    const [entry] = await all(reader.segmentsOfDek(segment.dekId))
    expect(entry).toMatchObject({ ...intent, ...totals, state: 'published' })
    expect(await all(messagesOf(reader, rowsOf(segment)))).toEqual(messagesFrom(0, 3))
  })

  test('a DEK that sealed nothing has no segments', async () => {
    const { keys, reader } = parts()
    const dek = dekRecord()
    await keys.recordDek(dek)
    expect(await all(reader.segmentsOfDek(dek.dekId))).toEqual([])
  })
}

/** The part of it that is about the messages of one segment. */
export function mappedMessagesContract(parts: () => MappingStoreParts): void {
  const written = async (...calls: MappedMessage[][]): Promise<MappedMessage[]> => {
    const { writer, reader } = parts()
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    for (const messages of calls) {
      await writer.writeRows(segment, 'segments/a.seal', columnsOf(messages))
    }
    return all(messagesOf(reader, rowsOf(segment)))
  }

  test('rows written twice are there once', async () => {
    const messages = messagesFrom(0, 600)
    expect(await written(messages, messages)).toEqual(messages)
  })

  test('the parts of a segment add up, and come back by rising offset', async () => {
    const messages = messagesFrom(5, 700)
    expect(await written(messages.slice(400), messages.slice(0, 400))).toEqual(messages)
  })

  test('messages that are written again in other cuts are there once', async () => {
    const messages = messagesFrom(5, 700)
    const cuts = [messages, messages.slice(0, 300), messages.slice(200, 500), messages.slice(650)]
    expect(await written(...cuts)).toEqual(messages)
    expect(await written(...cuts.toReversed())).toEqual(messages)
  })

  test('frames with others between them and offsets that skip come back as they were', async () => {
    const messages = Array.from({ length: 1_000 }, (_, i) => ({
      ...{ topic: 'orders', partition: i % 3, offset: 7 * i + (i % 5) },
      ...{ position: 160 + 5_000 * i, length: 100 + ((i * 7919) % 4_900) },
    }))
    const sorted = messages.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    expect(await written(messages)).toEqual(sorted)
  })

  test.each([1, 249, 250, 251, 500])('a part of %i messages is written whole', async (count) => {
    expect(await written(messagesFrom(0, count))).toEqual(messagesFrom(0, count))
  })

  test('10,001 rows are read over several pages', async () => {
    const messages = messagesFrom(1000, 10_001)
    expect(await written(messages)).toEqual(messages)
  })

  test('offsets, positions and lengths are exact up to their bounds', async () => {
    const topic = 'orders'
    const messages = [
      { topic, partition: 0, offset: 0, position: 0, length: 1 },
      { topic, partition: 0, offset: 2 ** 31, position: 2 ** 31, length: 2 ** 26 },
      { topic, partition: 0, offset: 2 ** 32 - 1, position: 2 ** 32 - 1, length: 2 ** 31 - 1 },
      { topic, partition: 0, offset: 2 ** 32, position: 2 ** 32, length: 5 },
      { topic, partition: 2 ** 31 - 1, offset: 2 ** 53 - 1, position: 2 ** 53 - 1, length: 5 },
    ]
    expect(await written(messages)).toEqual(messages)
  })

  test('topics whose names differ by ".", "_" and "-" stay apart in one segment', async () => {
    const topics = ['a-b.c_d', 'a.b-c_d', 'a_b.c-d']
    const messages = topics.flatMap((topic) => [
      ...messagesFrom(1, 2, topic, 0),
      ...messagesFrom(1, 2, topic, 12),
    ])
    const mixed = messages.toSorted((a, b) => a.offset - b.offset)
    expect(await written(mixed)).toEqual(messages)
  })

  test('a segment with no rows has no messages', async () => {
    expect(await written([])).toEqual([])
  })
}
