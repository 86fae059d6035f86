import { SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'

/** A source partition. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** What one fetch gave of one partition, in the order of its offsets. */
export interface FetchedBatch extends TopicPartition {
  /** Walked once by the road, and made on the way where there are many. */
  readonly messages: Iterable<Message>
  /** Where the fetch was asked to begin; a message may lie further on (compaction, transactions). */
  readonly fetchedOffset: number
  /** Where the next fetch begins: behind the last record, those that are no messages included. */
  readonly nextOffset: number
}

/** What a handler may do with the source while it holds a batch. */
export interface BatchControl {
  /** Keeps the membership alive; call it while waiting. Rejects when the group rebalances. */
  heartbeat(): Promise<void>
  /** True, and for good, once a seek has made this batch obsolete. */
  isStale(): boolean
  /** Nobody reads the messages any more, so their memory may go. Whoever keeps some never calls it. */
  letGo(): void
}

/** The consuming side of the road. */
export interface SourceHandler {
  /** These partitions are held from now on, and no others. Lanes are held whole. */
  onAssigned(partitions: readonly TopicPartition[]): void
  /**
   * Resolves when the batch is taken over; the next fetch waits for it. To false when some of it was
   * not dealt with: it is fetched again unless a seek or a pause has its place. What `heartbeat` rejects
   * with goes through to the source; any other rejection ends it by `onFailure`.
   */
  onBatch(batch: FetchedBatch, control: BatchControl): Promise<boolean>
  /** What this partition holds next cannot be read. The source has paused it and goes on with others. */
  onUnreadable(at: TopicPartition, error: SealError): void
  /** Kafka holds nothing at the position of this partition. The source has paused it until a seek. */
  onOutOfRange(at: TopicPartition): void
  /** The connection is lost for a while; the source tries again by itself. */
  onInterrupted(error: SealError, attempt: number): void
  /** The source cannot go on. */
  onFailure(error: unknown): void
}

/** Where the group begins to read a partition. */
export interface StartOffset extends TopicPartition {
  readonly offset: number
  /** False where nothing was committed yet: then it is the oldest that Kafka holds. */
  readonly isCommitted: boolean
}

/** The oldest offset that a partition still holds, and the one that its next message gets. */
export interface LogBounds {
  readonly oldest: number
  readonly end: number
}

/** Where messages come from. Errors: SEAL_KAFKA_UNAVAILABLE, SEAL_KAFKA_REFUSED, SEAL_TOPIC_MISSING. */
export interface MessageSource {
  /** Identity of the Kafka cluster; sealed into every frame. */
  readonly clusterId: string
  start(handler: SourceHandler): Promise<void>
  /** Fetches the partition from `offset` next, also when it was paused. */
  seek(at: TopicPartition, offset: number): void
  /** No more fetches of these partitions; membership goes on. */
  pause(partitions: readonly TopicPartition[]): void
  /**
   * The committed offsets; where nothing was committed yet, the oldest that Kafka holds. Partitions of
   * which `confirm` would reject are left out. Throws SEAL_SOURCE_RESTARTED where nothing is committed
   * although there are references.
   */
  startOffsets(partitions: readonly TopicPartition[]): Promise<readonly StartOffset[]>
  /**
   * Resolves when all that was fetched of these partitions so far is of the topics that this process
   * began with. Rejects with SEAL_SOURCE_RESTARTED, from then on always, when a topic is another one by
   * now: deleted, and created again under its name. Brokers without topic ids (Kafka before 2.8) give no
   * reason to doubt.
   */
  confirm(partitions: readonly TopicPartition[]): Promise<void>
  /** What Kafka holds now. */
  logBounds(at: TopicPartition): Promise<LogBounds>
  /** False when the group may have given the partitions away: it heard nothing for too long. */
  isMember(): boolean
  /** Leaves the group and ends every connection. */
  stop(): Promise<void>
}

/** What `confirm` rejects with, and why a partition of the topic stops. */
export function recreatedError(topic: string): SealError {
  return new SealError(
    'SEAL_SOURCE_RESTARTED',
    `topic ${topic} was deleted and created again while it was read; nothing of the new one is sealed. Give it another name, or set the offset of the consumer group by hand to where sealing may go on`,
  )
}

/** Key of a partition in maps. */
export function placeOf(at: TopicPartition): string {
  return `${at.topic}/${at.partition}`
}

/** The lane of a partition: fixed, so that one transactional id always speaks for it. */
export function laneOf(at: TopicPartition, lanes: number): number {
  return at.partition % lanes
}
