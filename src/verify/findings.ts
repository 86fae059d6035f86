/**
 * Everything that can be wrong, and what each kind counts. Kinds are stable: they stand in the JSON
 * output.
 */
export const FINDING_KINDS = {
  lost: 'messages without a reference, though the group has committed an offset behind them',
  doubled: 'references to a message that another reference, or a note of quarantine, speaks for',
  outOfOrder: 'references behind one of a later message of the same partition',
  stray: 'reference records that are for no message of their source partition',
  keyed: 'references with a key, though they shall have none',
  uncommitted: 'references from the committed offset on: their messages would be sealed again',
  dangling: 'references whose object is not there',
  altered: 'references that open to something else than the message, or not at all',
  unopenable: 'references whose key the KMS does not give, or may not be asked for',
  unmapped: 'referenced messages whose mapping row is missing or says another place',
  overmapped: 'mapping rows of a referenced segment for which there is no reference',
  swept: 'segments marked as swept though they are referenced',
  keyRecord: 'DEKs of referenced segments that are not on record in both places alike',
  unnamedObject: 'object versions under the prefix that no intent names',
  unnamedUpload: 'open uploads under the prefix that no intent names',
} as const

/** One kind out of {@link FINDING_KINDS}. */
export type FindingKind = keyof typeof FINDING_KINDS

/** One thing that is wrong: where, and what it means. Never plaintext, never key bytes. */
export interface Finding {
  readonly kind: FindingKind
  /** Messages, references, rows, objects or DEKs that it stands for. */
  readonly count: number
  /** One clause, which also says the way out where there is one. */
  readonly meaning: string
  readonly topic?: string
  readonly partition?: number
  /** Of the message; of the reference record where that is for no message. */
  readonly offset?: number
  /** Where it stands for a row of messages: the last one. */
  readonly lastOffset?: number
  /** Key of the object within the bucket. */
  readonly object?: string
  readonly versionId?: string
  readonly uploadId?: string
  readonly dekId?: string
}

/** A finding as it is told: it stands for one thing unless it says otherwise. */
export type ToldFinding = Omit<Finding, 'count'> & { readonly count?: number }

type Kept = { -readonly [K in keyof Finding]: Finding[K] }

/**
 * Counts everything, and keeps the first findings of each kind. What is the same of one message after
 * the other becomes one finding.
 */
export class Findings {
  readonly #keptMax: number
  readonly #counts = Object.fromEntries(
    Object.keys(FINDING_KINDS).map((kind) => [kind, 0]),
  ) as Record<FindingKind, number>
  readonly #kept: Kept[] = []
  readonly #keptOfKind = new Map<FindingKind, number>()
  /** The last finding that a next message may lengthen, by all that they must share. */
  readonly #runs = new Map<string, Kept>()

  /** `keptMax` is for each kind; the counts know no bound. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax
  }

  add(finding: ToldFinding): void {
    const { kind, count = 1 } = finding
    this.#counts[kind] += count
    const run = runOf(finding)
    const last = run === null ? undefined : this.#runs.get(run)
    const end = finding.lastOffset ?? finding.offset
    if (last?.offset !== undefined && end !== undefined && end > (last.lastOffset ?? last.offset)) {
      last.count += count
      last.lastOffset = end
      return
    }
    const kept = this.#keptOfKind.get(kind) ?? 0
    if (kept >= this.#keptMax) return
    this.#keptOfKind.set(kind, kept + 1)
    const entry = { count, ...finding }
    this.#kept.push(entry)
    if (run !== null) this.#runs.set(run, entry)
  }

  /** How many of each kind there are. */
  get counts(): Readonly<Record<FindingKind, number>> {
    return { ...this.#counts }
  }

  /** True when nothing is wrong. */
  get isEmpty(): boolean {
    return Object.values(this.#counts).every((count) => count === 0)
  }

  /** The findings that were kept, kind by kind in the order of {@link FINDING_KINDS}. */
  list(): readonly Finding[] {
    const order = Object.keys(FINDING_KINDS)
    return this.#kept.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  }
}

/** What findings must share to become one; null for those that are about no message of a partition. */
function runOf({ kind, topic, partition, offset, object, meaning }: ToldFinding): string | null {
  // Each lost message stands apart unless its neighbours are lost too: their finder joins them.
  if (offset === undefined || kind === 'lost') return null
  return JSON.stringify([kind, topic, partition, object, meaning])
}
