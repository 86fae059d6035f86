import { describe, expect, it } from 'vitest'
import { FetchedRecords } from '../../../../src/adapters/kafka/fetched-records.ts'
import { decodeRecordSet, type RecordSet } from '../../../../src/adapters/kafka/record-batch.ts'
import { encodeRecordBatch, int32, type RawRecord } from '../../../support/record-batch.ts'
import { numberedRecords, record } from '../../../support/records.ts'

const TRANSACTIONAL = 0x10
const CONTROL = 0x20
/** A key of four zero bytes: the number 0 as Java serializes it, and what an abort marker has. */
const ZERO = Buffer.alloc(4)

/** A batch of producer `producerId` at `baseOffset`. */
function batch(
  baseOffset: number,
  producerId: bigint,
  records: RawRecord[],
  flags = TRANSACTIONAL,
) {
  return encodeRecordBatch(records, 'none', { baseOffset, producerId, attributes: flags })
}

function marker(baseOffset: number, producerId: bigint, isCommit: boolean): Buffer {
  const key = Buffer.from([0, 0, 0, isCommit ? 1 : 0])
  return batch(baseOffset, producerId, [record({ key })], TRANSACTIONAL | CONTROL)
}

type Aborted = readonly [producerId: bigint, firstOffset: number]

async function fetched(batches: Buffer[], from = 0, end = 1_000, aborted: Aborted[] = []) {
  const set = Buffer.concat(batches)
  const cursor = { buffer: Buffer.concat([int32(set.length), set]), offset: 0 }
  return recordsOf(await decodeRecordSet(cursor), from, end, aborted)
}

function recordsOf(messages: RecordSet, from = 0, end = 1_000, aborted: Aborted[] = []) {
  return new FetchedRecords('orders', String(from), {
    partition: 3,
    highWatermark: String(end),
    abortedTransactions: aborted.map(([producerId, firstOffset]) => ({
      producerId: String(producerId),
      firstOffset: String(firstOffset),
    })),
    messages,
  })
}

const offsets = (records: FetchedRecords) => Array.from(records.messages, ({ offset }) => offset)

describe('what a fetch gave of a partition', () => {
  it('begins at the offset that was asked for, and goes on behind the last batch', async () => {
    const records = await fetched([batch(0, -1n, numberedRecords(5, 'a'), 0)], 3)
    expect(offsets(records)).toEqual([3, 4])
    expect(records).toMatchObject({ topic: 'orders', partition: 3, nextOffset: 5 })
    expect(records.lastOffset()).toBe('4')
  })

  it('holds no markers, but goes on behind them and tells of them alone', async () => {
    const both = await fetched([batch(0, 7n, numberedRecords(2, 'a')), marker(2, 7n, true)])
    expect(offsets(both)).toEqual([0, 1])
    expect(both.nextOffset).toBe(3)
    const alone = await fetched([marker(2, 7n, true)], 2)
    expect(offsets(alone)).toEqual([])
    expect(alone.isEmpty()).toBe(false)
    expect(alone.nextOffset).toBe(3)
  })

  it('lets go of the memory of its fetch once, however often it is told', async () => {
    const log = [0, 1].map((i) => batch(i, -1n, [record({ value: Buffer.alloc(300_000, 'v') })], 0))
    const sets = log.map((set) => Buffer.concat([int32(set.length), set]))
    const response = Buffer.concat(sets)
    const records: FetchedRecords[] = []
    for (let at = 0; at < response.length; at += (sets[records.length - 1] as Buffer).length) {
      const messages = await decodeRecordSet({ buffer: response, offset: at })
      records.push(recordsOf(messages, records.length))
    }
    const [first, second] = records as [FetchedRecords, FetchedRecords]
    first.letGo()
    first.letGo()
    expect(offsets(second)).toEqual([1])
    second.letGo()
    expect(() => offsets(second)).toThrow(RangeError)
  })

  it('is empty where nothing came', async () => {
    const records = await fetched([], 9)
    expect(records.isEmpty()).toBe(true)
    expect(records.nextOffset).toBe(9)
  })

  it('holds nothing of an aborted transaction, whatever keys its messages have', async () => {
    const keyed = [record({ key: ZERO }), record(), record({ key: ZERO })]
    const log = [
      batch(0, 7n, keyed),
      batch(3, 7n, keyed),
      marker(6, 7n, false),
      batch(7, 7n, keyed),
      marker(10, 7n, true),
    ]
    const records = await fetched(log, 0, 11, [[7n, 0]])
    expect(offsets(records)).toEqual([7, 8, 9])
  })

  it('holds nothing of transactions that began before it, however many and in any order', async () => {
    const one = numberedRecords(1, 'x')
    const log = [
      batch(20, 9n, one),
      batch(21, 8n, one),
      batch(22, 7n, one),
      batch(23, 6n, one, 0),
      marker(24, 9n, false),
      batch(25, 9n, one),
    ]
    const aborted: Aborted[] = [
      [9n, 12],
      [7n, 10],
      [8n, 11],
    ]
    expect(offsets(await fetched(log, 20, 26, aborted))).toEqual([23, 25])
  })

  it('refuses batches at offsets where they cannot stand, behind what is sound', async () => {
    const [a, b] = [
      batch(0, -1n, numberedRecords(5, 'a'), 0),
      batch(5, -1n, numberedRecords(5, 'b'), 0),
    ]
    const beyond = await fetched([a, b], 0, 9)
    expect(offsets(beyond)).toEqual([0, 1, 2, 3, 4])
    expect(beyond.unreadable).toBeNull()
    expect((await fetched([b], 5, 9)).unreadable).toMatchObject({ offset: 5 })
    expect((await fetched([a], 5)).unreadable).toMatchObject({ offset: 0 })
  })

  it('leaves to the next fetch what came in since the broker looked at the end', async () => {
    const [a, b] = [
      batch(0, -1n, numberedRecords(5, 'a'), 0),
      batch(5, -1n, numberedRecords(5, 'b'), 0),
    ]
    const both = await fetched([a, b], 0, 5)
    expect(offsets(both)).toEqual([0, 1, 2, 3, 4])
    expect(both.nextOffset).toBe(5)
    const damaged = batch(10, -1n, numberedRecords(5, 'c'), 0)
    damaged[damaged.length - 1] = 1
    const atEnd = await fetched([b, damaged], 5, 5)
    expect([atEnd.isEmpty(), atEnd.unreadable, atEnd.nextOffset]).toEqual([true, null, 5])
    expect(offsets(await fetched([b, damaged], 5, 10))).toEqual([5, 6, 7, 8, 9])
  })

  it('hands on what stands before a damaged batch first', async () => {
    const damaged = batch(5, -1n, numberedRecords(5, 'b'), 0)
    damaged[damaged.length - 1] = 1
    const first = await fetched([batch(0, -1n, numberedRecords(5, 'a'), 0), damaged])
    expect(first.unreadable).toBeNull()
    expect(first.nextOffset).toBe(5)
    const second = await fetched([damaged], 5)
    expect(second.isEmpty()).toBe(false)
    expect(second.unreadable).toEqual({ offset: 5, reason: 'is damaged: its CRC-32C is wrong' })
  })
})
