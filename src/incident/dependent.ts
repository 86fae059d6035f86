/** The places in which a wrap by the KEK can stand. */
export type WrapPlace = 'register' | 'key directory' | 'object metadata'

/**
 * A DEK that nothing but the KEK opens. live: something is under it; retained: nothing but older
 * versions that the store keeps until a date; unused: it is on record, and nothing is under it.
 */
export interface DependentDek {
  readonly kind: 'dek'
  readonly dekId: string
  readonly keyDomain: string
  readonly kekVersion: string | null
  readonly where: readonly WrapPlace[]
  readonly standing: 'live' | 'retained' | 'unused'
}

/**
 * current: what readers get; unpublished: the same, and its segment is not marked as published;
 * noncurrent: something covers it; upload: multipart, neither completed nor aborted; unread: it is
 * there and cannot be read; intended: it was begun, and its object may come yet; missing: it is on record, and the scan has not met it under the prefix.
 */
export type DependentReason =
  | 'current'
  | 'unpublished'
  | 'noncurrent'
  | 'upload'
  | 'unread'
  | 'intended'
  | 'missing'

/** An object, a version of one, or what is to become one, that is under a dependent DEK. */
export interface DependentObject {
  readonly kind: 'object'
  /** Key of the object within the bucket. */
  readonly objectKey: string
  readonly versionId: string | null
  /** null where it does not even say its DEK: then nobody can tell whether it depends. */
  readonly dekId: string | null
  readonly why: DependentReason
  readonly bytes: number
  /** Until when the store keeps it, whoever asks; Infinity under a legal hold. */
  readonly retainedUntilMs: number | null
}

/** One thing that would be lost with the KEK. */
export type Dependent = DependentDek | DependentObject

/** What the walk went through. */
export interface DependentTotals {
  /** Versions of segment objects in the bucket. */
  readonly versions: number
  readonly messages: number
  /** Entries of the key directory. */
  readonly directoryEntries: number
  /** DEKs that the index knows the KEK ever wrapped. */
  readonly deksOnRecord: number
  readonly segmentsOnRecord: number
  readonly uploads: number
  /**
   * Versions whose metadata has a wrap by the KEK, and whose DEK is under another by now: they do
   * not depend, and whoever has both a copy and the KEK can open them all the same.
   */
  readonly rewrapped: number
}

/** Whether it is an older version that the store keeps until a date: nobody can take it away before. */
export function isRetainedCopy({ why, retainedUntilMs }: DependentObject): boolean {
  return why === 'noncurrent' && retainedUntilMs !== null
}
