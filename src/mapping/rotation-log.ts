import type { DekEntry } from './mapping-store.ts'

/** How many segments and messages, and the bytes of the segments. */
export interface SegmentTotals {
  readonly segments: number
  readonly messages: number
  readonly bytes: number
}

/** A DEK that is old enough for its data to be looked at, and what is noted of it. */
export interface AgedDek extends DekEntry {
  /** When its segments were given out for re-encryption last; null when they never were. */
  readonly orderedAtMs: number | null
  /** What was under it and is under others now; null while some of it may still be there. */
  readonly done: SegmentTotals | null
}

/** One going over all that is older than a limit, from its begin until nothing that it gave out is left. */
export interface RotationRound {
  readonly startedAtMs: number
  /** When it was last counted what is still to be done. */
  readonly countedAtMs: number
  readonly olderThanMs: number
  /** Something that it gave out may be under way. */
  readonly isOpen: boolean
  /** Older than the limit when it was counted. */
  readonly due: SegmentTotals
  /** When the oldest DEK was made that had data left; null when none had. */
  readonly oldestAtMs: number | null
}

/**
 * Keeps track of data that is re-encrypted because of the age of its DEK. DEKs are found by their key
 * domain and the day of their making; days on which everything is done are not gone through again.
 * Writes are those of the one process that holds the lease. Errors: SEAL_MAPPING_UNAVAILABLE
 * (retryable), SEAL_MAPPING_REFUSED.
 */
export interface RotationLog {
  /** DEKs of the domain that were made before a moment, oldest first; none of days that are closed. */
  agedDeks(keyDomain: string, madeBeforeMs: number): AsyncIterable<AgedDek>
  recordOrdered(dek: DekEntry, atMs: number): Promise<void>
  /** Nothing is under the DEK any more. */
  recordDone(dek: DekEntry, done: SegmentTotals, atMs: number): Promise<void>
  /** Everything of the domain is done that was made on the day of this moment or before. */
  closeDays(keyDomain: string, throughMs: number): Promise<void>
  /** Sums of the days that are closed. */
  closedTotals(keyDomain: string): Promise<SegmentTotals>
  /** Opens all days again: a rebuild may have brought segments back. */
  reopen(): Promise<void>
  latestRound(): Promise<RotationRound | null>
  recordRound(round: RotationRound): Promise<void>
  /** Takes the lease, or goes on holding it, for so long from now; false while another has it. */
  hold(holder: string, forMs: number): Promise<boolean>
  /** Gives the lease back before its time. */
  release(holder: string): Promise<void>
}
