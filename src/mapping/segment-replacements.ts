import type { Replaced, RowsKey, SegmentIntent, SegmentKey } from './mapping-store.ts'

/** The intent of a re-encryption: durable before the first byte under the new DEK leaves the process. */
export interface ReplacementIntent extends SegmentIntent, RowsKey {
  /** The DEK that the segment is under until now. `createdAtMs` stays that of the first writing. */
  readonly replacesDekId: string
  readonly beganAtMs: number
}

/**
 * Writes what becomes of segments that are re-encrypted. From the intent until `recordReplaced` both
 * DEKs claim the segment: whoever asks for either finds it, wherever the process dies. Idempotent.
 * Errors: SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED.
 */
export interface SegmentReplacements {
  /**
   * The segment is to be re-encrypted. Beside `recordReplacing` and `recordReplaced`, which do the same,
   * it tells those who read the rows by themselves: due, running, replaced.
   */
  recordDue(segment: RowsKey): Promise<void>
  /** The DEK of before names the new one first, so that whoever finds the one finds the other. */
  recordReplacing(intent: ReplacementIntent): Promise<void>
  /** Nothing of the segment is under the DEK of `segment` any more, or no longer than it says. */
  recordReplaced(segment: SegmentKey & RowsKey, replaced: Replaced): Promise<void>
}
