import type { DecodedRecord } from './record-decoder.ts'

/** A transaction that was aborted, as a fetch response names it. */
export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

/** What kafkajs knows of the batch of a record beside what our decoder asks for. */
type Batch = DecodedRecord['batchContext'] & {
  readonly producerId: string
  readonly inTransaction: boolean
  readonly lastOffsetDelta: number
}

/** Version and type of a control record: an abort. */
const ABORT_MARKER = Buffer.from([0, 0, 0, 0])

/**
 * The messages of one fetch that a read_committed reader may see: no records of aborted transactions,
 * no markers. The broker names aborted transactions in the order of their ends, so they are sorted by
 * their beginnings first, as Kafka's own client does.
 */
export function committedRecords(
  records: readonly DecodedRecord[],
  aborted: readonly AbortedTransaction[],
): DecodedRecord[] {
  const begins = aborted
    .map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) }))
    .sort((a, b) => a.first - b.first)
  const dead = new Set<string>()
  let next = 0
  return records.filter((record) => {
    const { producerId, inTransaction } = batchOf(record)
    for (; (begins[next]?.first ?? Number.POSITIVE_INFINITY) <= record.offset; next++) {
      dead.add(begins[next]?.producerId as string)
    }
    if (!record.isControlRecord) return !(inTransaction && dead.has(producerId))
    if (record.key !== null && ABORT_MARKER.equals(record.key)) dead.delete(producerId)
    return false
  })
}

/** Where a fetch goes on: behind the last batch, whose last records may have been compacted away. */
export function offsetBehind(records: readonly DecodedRecord[]): number | null {
  const last = records.at(-1)
  if (last === undefined) return null
  const { firstOffset, lastOffsetDelta } = batchOf(last)
  return Number(firstOffset) + lastOffsetDelta + 1
}

function batchOf(record: DecodedRecord): Batch {
  return record.batchContext as Batch
}
