import type { RowsKey, SegmentKey } from './mapping-store.ts'

/**
 * Takes DEKs and segments that are destroyed off the record; that they were there, and what they
 * protected, stays. Idempotent. Errors: SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED.
 */
export interface ShredRegister {
  /** The wrapped key goes, and is seen to be gone. One that is gone already is fine. */
  destroyWrap(dekId: string): Promise<void>
  /** Nothing of the segment is left under its DEK, or no longer than the store keeps it. */
  markShredded(segment: SegmentKey & RowsKey, atMs: number): Promise<void>
}
