import type { RecordBatch } from './record-batch.ts'
import type { DecodedRecord } from './record-decoder.ts'

/** A transaction that was aborted, as a fetch response names it. */
export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

/**
 * The messages of one fetch that a read_committed reader may see: no records of aborted transactions,
 * no markers. The broker names aborted transactions in the order of their ends, so they are sorted by
 * their beginnings first, as Kafka's own client does. Every walk makes the messages anew.
 */
export function committedRecords(
  batches: readonly RecordBatch[],
  aborted: readonly AbortedTransaction[],
): Iterable<DecodedRecord> {
  const begins = aborted
    .map(({ producerId, firstOffset }) => ({
      producerId: BigInt(producerId),
      first: Number(firstOffset),
    }))
    .sort((a, b) => a.first - b.first)
  const dead = new Set<bigint>()
  let next = 0
  const visible = batches.flatMap(
    ({ records, lastOffset, producerId, isTransactional, isControl }) => {
      for (; (begins[next]?.first ?? Number.POSITIVE_INFINITY) <= lastOffset; next++) {
        dead.add(begins[next]?.producerId as bigint)
      }
      // Whichever marker it is, it ends the producer's transaction.
      if (isControl) dead.delete(producerId)
      return isControl || (isTransactional && dead.has(producerId)) ? [] : [records]
    },
  )
  return { [Symbol.iterator]: () => walk(visible) }
}

function* walk(batches: readonly Iterable<DecodedRecord>[]): Generator<DecodedRecord> {
  for (const records of batches) yield* records
}

/** Where a fetch goes on: behind the last batch, whose last records may have been compacted away. */
export function offsetBehind(batches: readonly RecordBatch[]): number | null {
  const last = batches.at(-1)
  return last === undefined ? null : last.lastOffset + 1
}
