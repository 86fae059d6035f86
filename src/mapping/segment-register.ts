import type { SegmentEntry, SegmentKey } from './mapping-store.ts'

/**
 * Every intent on record, for those who compare them with what is in the bucket. Errors:
 * SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED.
 */
export interface SegmentRegister {
  /** All segments of all DEKs, in no order, in constant memory. */
  segments(): AsyncIterable<SegmentEntry>
  /**
   * Removes the rows of the segment's messages and marks its intent as swept. The intent stays: an
   * object that a writer brings late, after having been asleep, is then still named by one.
   */
  markSwept(segment: SegmentKey, sweptAtMs: number): Promise<void>
}
