/**
 * Everything in which index and store can differ. `isMended` says what a rebuild puts right; the rest
 * is for people, since it could only be mended by taking something away. Kinds are stable: they stand
 * in the JSON output.
 */
export const DIFFERENCE_KINDS = {
  missingDek: {
    isMended: true,
    meaning: 'DEKs that are not on record, or not under their KEK or key domain',
  },
  missingSegment: { isMended: true, meaning: 'segments in the store that are not on record' },
  missingRow: { isMended: true, meaning: 'messages in the store without a mapping row' },
  otherRow: { isMended: true, meaning: 'messages whose row says another place in the object' },
  missingPlace: {
    isMended: true,
    meaning: 'notes by which segments are found by source or offset',
  },
  missingMark: { isMended: true, meaning: 'segments on record without their totals or their mark' },
  otherDek: { isMended: false, meaning: 'DEKs on record otherwise than in the key directory' },
  otherTotals: { isMended: false, meaning: 'segments whose totals are not those of the object' },
  otherObject: { isMended: false, meaning: 'segments on record under the key of another object' },
  extraRow: { isMended: false, meaning: 'mapping rows for which the object has no message' },
  extraSegment: { isMended: false, meaning: 'segments on record that no object holds' },
  unreadObject: { isMended: false, meaning: 'objects that cannot be read as segments' },
  unreadDek: { isMended: false, meaning: 'entries of the key directory that cannot be read' },
} as const

/** One kind out of {@link DIFFERENCE_KINDS}. */
export type DifferenceKind = keyof typeof DIFFERENCE_KINDS

/** All of them, in the order in which they are told. */
export const differenceKinds = Object.keys(DIFFERENCE_KINDS) as readonly DifferenceKind[]

/** One difference: where, and in what. Never plaintext, never key bytes. */
export interface Difference {
  readonly kind: DifferenceKind
  /** Messages, rows, segments, objects or DEKs that it stands for. */
  readonly count: number
  readonly meaning: string
  /** Key of the object within the bucket. */
  readonly object?: string
  readonly versionId?: string
  readonly dekId?: string
}

/** Counts everything, and keeps the first of each kind. */
export class Differences {
  readonly #keptMax: number
  readonly #counts = Object.fromEntries(differenceKinds.map((kind) => [kind, 0])) as Record<
    DifferenceKind,
    number
  >
  readonly #kept = new Map<DifferenceKind, Difference[]>()

  /** `keptMax` is for each kind; the counts know no bound. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax
  }

  /** Nothing is added for a count of 0. */
  add(difference: Omit<Difference, 'count'> & { readonly count?: number }): void {
    const { kind, count = 1 } = difference
    if (count === 0) return
    this.#counts[kind] += count
    const kept = this.#kept.get(kind) ?? []
    this.#kept.set(kind, kept)
    if (kept.length < this.#keptMax) kept.push({ ...difference, count })
  }

  /** How many of each kind there are. */
  get counts(): Readonly<Record<DifferenceKind, number>> {
    return { ...this.#counts }
  }

  /** Those that were kept, kind by kind. */
  list(): readonly Difference[] {
    return differenceKinds.flatMap((kind) => this.#kept.get(kind) ?? [])
  }
}
