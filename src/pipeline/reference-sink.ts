import { SealError } from '../errors.ts'
import type { RecordRun } from '../format/record-run.ts'
import type { TopicPartition } from './message-source.ts'

/** Records for one partition of an output topic, in order. All have a null key. */
export interface OutputRecords extends TopicPartition {
  readonly runs: readonly RecordRun[]
}

/** What becomes visible in one transaction: records, and how far the source is done. */
export interface Publication {
  readonly records: readonly OutputRecords[]
  readonly offsets: readonly (TopicPartition & { readonly nextOffset: number })[]
}

/** What a publisher throws that is not in time. */
export function tooLate(): SealError {
  const message =
    'a segment was not published within segment.publishWithin; its messages are read and sealed again'
  return new SealError('SEAL_TOO_LATE', message, { retryable: true })
}

/**
 * The transactional writer of one lane. After any failure it is of no further use: close it and
 * open a new one, which settles what became of the transaction.
 */
export interface LanePublisher {
  /**
   * Publishes all of it or nothing. Asks `isInTime` when all is ready and nothing but the commit is
   * left, which the broker itself refuses after the transaction timeout; throws SEAL_TOO_LATE
   * (retryable) when the answer is no. Throws SEAL_FENCED when another process took the lane over,
   * SEAL_KAFKA_UNAVAILABLE and SEAL_KAFKA_REFUSED otherwise; the outcome is unknown then.
   */
  publish(publication: Publication, isInTime: () => boolean): Promise<void>
  close(): Promise<void>
}

/** Where references go. */
export interface ReferenceSink {
  /**
   * Opens the writer of a lane and fences every earlier one: when this resolves, their open
   * transactions have ended, and only offsets read after it are true.
   */
  openLane(lane: number): Promise<LanePublisher>
}
