import { SealError } from '../../errors.ts'
import type { TopicPartition } from '../../pipeline/message-source.ts'
import { type AbortedTransaction, committedRecords, offsetBehind } from './committed-records.ts'
import type { RecordSet, Unreadable } from './record-batch.ts'
import type { DecodedRecord } from './record-decoder.ts'
import { responseMemory } from './response-memory.ts'

/** What kafkajs knows of one partition in the response of a fetch. */
interface PartitionData {
  readonly partition: number
  /** The end of the partition. */
  readonly highWatermark: string
  readonly abortedTransactions: readonly AbortedTransaction[]
  readonly messages: RecordSet
}

/**
 * What one fetch gave of one partition, in place of kafkajs' `Batch`. That one takes any message with
 * the key 00000000 for the end of an aborted transaction and begins one aborted transaction a message,
 * so that aborted messages come through. It does not tell of fetches that hold no message, so that
 * whoever counts offsets is left behind, and moves by one offset at a time where compaction took
 * records away.
 */
export class FetchedRecords {
  readonly topic: string
  readonly partition: number
  readonly fetchedOffset: string
  readonly highWatermark: string
  /** Every walk makes them anew. */
  readonly messages: Iterable<DecodedRecord>
  /** Where the next fetch begins. */
  readonly nextOffset: number
  /** Why the batch where the next fetch would begin cannot be handed on. */
  readonly unreadable: RecordSet['failure']
  #bytes: Buffer | null

  constructor(topic: string, fetchedOffset: string, data: PartitionData) {
    const from = Number(fetchedOffset)
    this.topic = topic
    this.partition = data.partition
    this.fetchedOffset = fetchedOffset
    this.highWatermark = data.highWatermark
    this.#bytes = data.messages.bytes
    const { batches, failure } = soundRecords(data.messages, from, Number(data.highWatermark))
    const records = committedRecords(batches, data.abortedTransactions)
    const at = { topic, partition: data.partition }
    this.messages = { [Symbol.iterator]: () => messagesFrom(records, at, from) }
    this.nextOffset = Math.max(from, offsetBehind(batches) ?? 0)
    // What stands before it is handed on first; the next fetch begins with it.
    this.unreadable = this.nextOffset > from ? null : failure
  }

  /** Done with: its messages are void from now on. Who keeps them never calls this. */
  letGo(): void {
    if (this.#bytes !== null && this.#bytes.length > 0) responseMemory.letGo(this.#bytes)
    this.#bytes = null
  }

  /** kafkajs hands on nothing else: markers alone must be told too, and what cannot be read. */
  isEmpty(): boolean {
    return this.nextOffset === Number(this.fetchedOffset) && this.unreadable === null
  }

  isEmptyDueToFiltering(): boolean {
    return false
  }

  firstOffset(): string {
    // The library asks for it in what it logs, too late for looking.
    if (this.#bytes === null) return this.fetchedOffset
    for (const { offset } of this.messages) return String(offset)
    return this.fetchedOffset
  }

  lastOffset(): string {
    return String(this.nextOffset - 1)
  }

  offsetLag(): string {
    return String(Math.max(0, Number(this.highWatermark) - this.nextOffset))
  }

  offsetLagLow(): string {
    return String(Math.max(0, Number(this.highWatermark) - 1 - Number(this.firstOffset())))
  }
}

function* messagesFrom(
  records: Iterable<DecodedRecord>,
  { topic, partition }: TopicPartition,
  from: number,
): Generator<DecodedRecord> {
  for (const record of records) {
    if (record.offset < from) continue
    record.topic = topic
    record.partition = partition
    yield record
  }
}

/** What a batch that cannot be read means to whoever runs sealstream. */
export function unreadableError({ topic, partition }: TopicPartition, at: Unreadable): SealError {
  return new SealError(
    'SEAL_SOURCE_UNREADABLE',
    `${topic}/${partition}: the record batch at offset ${at.offset} ${at.reason}; nothing of it was taken. Mend the partition (a sound replica as its leader), or set the offset of the consumer group behind the batch by hand; then start again`,
  )
}

/**
 * What of a set can stand where it does. Offsets are the one thing that no checksum covers: the broker
 * begins a fetch with the batch that holds the offset, and a batch that begins before the end of the
 * partition lies before it as a whole. The broker looks at the end first and at the records then, so
 * what begins at the end or behind it came in meanwhile. Nobody can tell whether that stands right: it
 * is left to the next fetch, which sees a later end.
 */
function soundRecords(
  { batches, failure }: RecordSet,
  from: number,
  end: number,
): Omit<RecordSet, 'bytes'> {
  let next = from
  for (const [i, { firstOffset, lastOffset }] of batches.entries()) {
    const sound = batches.slice(0, i)
    if (next >= end) return { batches: sound, failure: null }
    if (lastOffset < from || lastOffset >= end) {
      const reason = 'is damaged: its offset is wrong'
      return { batches: sound, failure: { offset: firstOffset, reason } }
    }
    next = lastOffset + 1
  }
  return { batches, failure }
}
