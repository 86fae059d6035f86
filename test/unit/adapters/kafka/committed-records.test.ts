import { describe, expect, test } from 'vitest'
import {
  type AbortedTransaction,
  committedRecords,
  offsetBehind,
} from '../../../../src/adapters/kafka/committed-records.ts'
import type { RecordBatch } from '../../../../src/adapters/kafka/record-batch.ts'
import type { DecodedRecord } from '../../../../src/adapters/kafka/record-decoder.ts'

const ABORT = Buffer.from([0, 0, 0, 0])
const COMMIT = Buffer.from([0, 0, 0, 1])

/** A batch of one record of a producer; plain ones have none. */
function record(offset: number, producerId: bigint | null, marker?: Buffer): RecordBatch {
  const message: DecodedRecord = {
    ...{ topic: '', partition: -1, offset, key: marker ?? null, value: null, headers: [] },
    ...{ timestampMs: 0n, timestampType: 'create' },
  }
  return {
    ...{ firstOffset: offset, lastOffset: offset, producerId: producerId ?? -1n },
    ...{ isTransactional: producerId !== null, isControl: marker !== undefined },
    records: [message],
  }
}

const offsets = (batches: readonly RecordBatch[], aborted: readonly AbortedTransaction[]) =>
  Array.from(committedRecords(batches, aborted), ({ offset }) => offset)

describe('committed records', () => {
  test('are all but markers where nothing was aborted', () => {
    const records = [record(0, null), record(1, 7n), record(2, 7n, COMMIT), record(3, null)]
    expect(offsets(records, [])).toEqual([0, 1, 3])
  })

  test('leave out transactions that were aborted, up to their marker', () => {
    const records = [
      ...[record(0, 7n), record(1, null), record(2, 8n), record(3, 7n)],
      ...[record(4, 7n, ABORT), record(5, 7n), record(6, 7n, COMMIT), record(7, 8n, COMMIT)],
    ]
    expect(offsets(records, [{ producerId: '7', firstOffset: '0' }])).toEqual([1, 2, 5])
  })

  test('whatever the order in which the broker names them: it is that of their ends', () => {
    const records = [
      ...[record(10, 7n), record(11, 8n), record(12, 7n), record(13, 8n, ABORT)],
      ...[record(14, 7n), record(15, 7n, ABORT), record(16, 7n)],
    ]
    const aborted = [
      { producerId: '8', firstOffset: '11' },
      { producerId: '7', firstOffset: '10' },
    ]
    expect(offsets(records, aborted)).toEqual([16])
  })

  test('leave out several that had all begun before the first record', () => {
    const records = [record(30, 7n), record(31, 8n), record(32, 8n, ABORT)]
    const aborted = [
      { producerId: '8', firstOffset: '20' },
      { producerId: '7', firstOffset: '10' },
    ]
    expect(offsets(records, aborted)).toEqual([])
  })

  test('of a transaction are told from plain ones of the same producer', () => {
    const records = [record(0, 7n), { ...record(1, 7n), isTransactional: false }]
    expect(offsets(records, [{ producerId: '7', firstOffset: '0' }])).toEqual([1])
  })
})

describe('the offset behind a fetch', () => {
  test('is behind the last batch, even when compaction took its last records', () => {
    const last = { ...record(40, null), firstOffset: 38, lastOffset: 45 }
    expect(offsetBehind([record(1, null), last])).toBe(46)
  })

  test('is unknown when nothing came', () => {
    expect(offsetBehind([])).toBeNull()
  })
})
