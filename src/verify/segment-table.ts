import type { Reference } from '../format/reference-value.ts'
import type { RowsKey, SegmentEntry, SegmentState } from '../mapping/mapping-store.ts'
import { RowDigest } from './row-digest.ts'

/** What references, register and bucket say of one segment. Some 300 bytes each. */
export class SegmentRecord {
  /** Key of the object within the bucket. */
  readonly object: string
  /** What the references say that the mapping must hold; null when none names the segment. */
  referenced: RowDigest | null = null
  /** The intent on record; null when there is none. */
  intent: (Pick<SegmentEntry, 'dekId' | 'sweptAtMs' | 'state'> & RowsKey) | null = null
  /** Of its newest version in the bucket, by the clock of the store; null when none was listed. */
  newestAtMs: number | null = null
  /** Whether that version is the mark that the object was deleted. */
  isDeleted = false
  /** Whether a reference was already told to dangle. */
  isToldMissing = false

  constructor(object: string) {
    this.object = object
  }
}

/**
 * Which of several intents speaks for an object: each re-encryption adds one, and leaves those of
 * before.
 */
const SPEAKS_FOR_IT: Readonly<Record<SegmentState, number>> = {
  ...{ published: 4, sealed: 3, shredded: 3, intended: 2, replaced: 1, swept: 0 },
}

/** Every segment that was heard of, by the key of its object. */
export class SegmentTable {
  readonly #records = new Map<string, SegmentRecord>()

  /** The record of an object, made when it is new. */
  at(object: string): SegmentRecord {
    let record = this.#records.get(object)
    if (record === undefined) {
      record = new SegmentRecord(object)
      this.#records.set(object, record)
    }
    return record
  }

  /** Notes an intent, unless one is known that says more of what is there now. */
  intend({
    objectKey,
    dekId,
    segmentId,
    rowsDekId,
    sweptAtMs,
    state,
    replaces,
  }: SegmentEntry): void {
    // One that was only begun says nothing of what is there, as long as that of before stands.
    const isAttempt = replaces !== null && state === 'intended'
    const record = this.at(objectKey)
    const known = record.intent
    const rank = isAttempt ? 0 : SPEAKS_FOR_IT[state]
    if (known !== null && SPEAKS_FOR_IT[known.state] > rank) return
    record.intent = { dekId, segmentId, rowsDekId, sweptAtMs, state }
  }

  /** Counts a reference in. */
  refer(reference: Reference): void {
    const record = this.at(reference.object)
    record.referenced ??= new RowDigest()
    record.referenced.add(reference)
  }

  /** Takes back that `reference` speaks for a row; its segment stays referenced. */
  disown(reference: Reference): void {
    this.at(reference.object).referenced?.remove(reference)
  }

  /** All of them. */
  records(): Iterable<SegmentRecord> {
    return this.#records.values()
  }

  /** Those that a reference names. */
  *referenced(): Generator<SegmentRecord & { readonly referenced: RowDigest }> {
    for (const record of this.#records.values()) {
      if (record.referenced !== null) yield record as SegmentRecord & { referenced: RowDigest }
    }
  }
}
