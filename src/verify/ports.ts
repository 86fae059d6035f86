import type { SealError } from '../errors.ts'
import type { Message, MessageCoordinates } from '../format/message.ts'
import type { Reference } from '../format/reference-value.ts'
import type { DekRecord } from '../keys/key-store.ts'

/** A partition of a topic. */
export type Place = Pick<MessageCoordinates, 'topic' | 'partition'>

/** What a partition holds at one moment. */
export interface LogBounds {
  readonly partition: number
  /** The oldest offset that is left; what is below was deleted by retention. */
  readonly oldest: number
  /** Behind the last record, those of open transactions included. */
  readonly end: number
}

/** A stretch of a partition, read without a gap: what is not among `records` is no message. */
export interface LogChunk {
  /** Behind the chunk before, unless retention deleted what was between. */
  readonly from: number
  readonly next: number
  /** Committed messages, in the order of their offsets. */
  readonly records: readonly Message[]
}

/** What a reader does at a transaction that is still open. */
export type AtOpenTransaction = 'wait' | 'end'

/**
 * Kafka as a checker needs it: topics by partition and offset, read_committed, no group. Errors:
 * SEAL_KAFKA_UNAVAILABLE (also for a transaction that stays open), SEAL_KAFKA_REFUSED,
 * SEAL_TOPIC_MISSING.
 */
export interface RecordLog {
  /** By partition; null when there is no such topic. */
  bounds(topic: string): Promise<readonly LogBounds[] | null>
  /** Whether Kafka may have removed messages between others that it kept. */
  isCompacted(topic: string): Promise<boolean>
  /**
   * Chunks from `from` to `to`, the next one fetched when it is asked for. Records belong to the
   * caller. The last chunk ends at `to`, or with 'end' at the first transaction that is still open.
   */
  read(at: Place, from: number, to: number, atOpen: AtOpenTransaction): AsyncIterable<LogChunk>
  /** Offsets that the consumer group of the encryptors has committed, by partition. */
  committed(topic: string): Promise<ReadonlyMap<number, number>>
}

/** Opens references, each with an outcome of its own. */
export interface Opener {
  /**
   * In the order of `references`: the message, or why it cannot be had. Rejects when the question
   * stays open (SEAL_STORE_*, SEAL_KMS_*).
   */
  open(references: readonly Reference[]): Promise<readonly (Message | SealError)[]>
}

/** The two places in which a wrapped DEK is kept beside its segments. Errors: SEAL_MAPPING_*, SEAL_STORE_*. */
export interface KeyRecords {
  /** The record in Cassandra; null when there is none. */
  onRecord(dekId: string): Promise<DekRecord | null>
  /** The entry of the key directory; null when there is none. Throws SEAL_MALFORMED when it is no entry. */
  inDirectory(dekId: string): Promise<DekRecord | null>
}
