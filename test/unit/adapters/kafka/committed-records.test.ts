import { describe, expect, test } from 'vitest'
import {
  type AbortedTransaction,
  committedRecords,
  offsetBehind,
} from '../../../../src/adapters/kafka/committed-records.ts'
import type { DecodedRecord } from '../../../../src/adapters/kafka/record-decoder.ts'

const ABORT = Buffer.from([0, 0, 0, 0])
const COMMIT = Buffer.from([0, 0, 0, 1])

/** A record of a producer; plain ones have none. */
function record(offset: number, producerId: string | null, marker?: Buffer): DecodedRecord {
  const batchContext = {
    ...{ firstOffset: String(offset), firstTimestamp: '0', maxTimestamp: '0', timestampType: 0 },
    ...{ magicByte: 2, lastOffsetDelta: 0, producerId: producerId ?? '-1' },
    inTransaction: producerId !== null,
  }
  return {
    ...{ topic: '', partition: -1, offset, key: marker ?? null, value: null, headers: [] },
    ...{ timestampMs: 0n, timestampType: 'create', isControlRecord: marker !== undefined },
    batchContext,
  }
}

const offsets = (records: readonly DecodedRecord[], aborted: readonly AbortedTransaction[]) =>
  committedRecords(records, aborted).map(({ offset }) => offset)

describe('committed records', () => {
  test('are all but markers where nothing was aborted', () => {
    const records = [record(0, null), record(1, 'a'), record(2, 'a', COMMIT), record(3, null)]
    expect(offsets(records, [])).toEqual([0, 1, 3])
  })

  test('leave out transactions that were aborted, up to their marker', () => {
    const records = [
      ...[record(0, 'a'), record(1, null), record(2, 'b'), record(3, 'a')],
      ...[record(4, 'a', ABORT), record(5, 'a'), record(6, 'a', COMMIT), record(7, 'b', COMMIT)],
    ]
    expect(offsets(records, [{ producerId: 'a', firstOffset: '0' }])).toEqual([1, 2, 5])
  })

  test('whatever the order in which the broker names them: it is that of their ends', () => {
    const records = [
      ...[record(10, 'a'), record(11, 'b'), record(12, 'a'), record(13, 'b', ABORT)],
      ...[record(14, 'a'), record(15, 'a', ABORT), record(16, 'a')],
    ]
    const aborted = [
      { producerId: 'b', firstOffset: '11' },
      { producerId: 'a', firstOffset: '10' },
    ]
    expect(offsets(records, aborted)).toEqual([16])
  })

  test('leave out several that had all begun before the first record', () => {
    const records = [record(30, 'a'), record(31, 'b'), record(32, 'b', ABORT)]
    const aborted = [
      { producerId: 'b', firstOffset: '20' },
      { producerId: 'a', firstOffset: '10' },
    ]
    expect(offsets(records, aborted)).toEqual([])
  })

  test('of a transaction are told from plain ones of the same producer', () => {
    const plain = { ...record(1, 'a') }
    const batch = { ...plain.batchContext, inTransaction: false }
    const records = [record(0, 'a'), { ...plain, batchContext: batch }]
    expect(offsets(records, [{ producerId: 'a', firstOffset: '0' }])).toEqual([1])
  })
})

describe('the offset behind a fetch', () => {
  test('is behind the last batch, even when compaction took its last records', () => {
    const last = record(40, null)
    const batch = { ...last.batchContext, firstOffset: '38', lastOffsetDelta: 7 }
    expect(offsetBehind([record(1, null), { ...last, batchContext: batch }])).toBe(46)
  })

  test('is unknown when nothing came', () => {
    expect(offsetBehind([])).toBeNull()
  })
})
