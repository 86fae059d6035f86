import { type Content, digestOf } from '../../../examples/demo/ledger.ts'
import type { Message } from '../../../src/index.ts'

const NAMED_MAX = 10

type Finding = 'missing' | 'doubled' | 'unequal' | 'aborted'

/** What the ledger found wrong, the first few of each kind by their places. */
export interface LedgerVerdict {
  readonly checked: number
  /** Acknowledged messages to which no reference leads. */
  readonly missing: readonly string[]
  /** Messages that two references lead to. */
  readonly doubled: readonly string[]
  /** Places that give other bytes than were produced there, or bytes that were never produced. */
  readonly unequal: readonly string[]
  /** Messages of transactions that were aborted. */
  readonly aborted: readonly string[]
}

/**
 * Remembers what was produced. A message that Kafka acknowledged has its place; one without an
 * answer may stand anywhere or nowhere, but only once, for no producer here tries again; one of an
 * aborted transaction must never come back.
 */
export class Ledger {
  readonly #acked = new Map<string, Map<number, string>>()
  readonly #unknown = new Set<string>()
  readonly #aborted = new Set<string>()
  readonly #seen = new Map<string, Set<number>>()
  readonly #found: Record<Finding, string[]> = {
    ...{ missing: [], doubled: [], unequal: [], aborted: [] },
  }
  #ackedCount = 0
  #checked = 0

  /** Messages that stand at consecutive offsets from `baseOffset` on. */
  acked(topic: string, partition: number, baseOffset: number, contents: readonly Content[]): void {
    const place = `${topic}/${partition}`
    const offsets = this.#acked.get(place) ?? new Map<number, string>()
    this.#acked.set(place, offsets)
    for (const [i, content] of contents.entries()) offsets.set(baseOffset + i, textOf(content))
    this.#ackedCount += contents.length
  }

  /** Messages whose fate is not known. */
  unknown(contents: readonly Content[]): void {
    for (const content of contents) this.#unknown.add(textOf(content))
  }

  /** Messages of a transaction that was aborted. */
  aborted(contents: readonly Content[]): void {
    for (const content of contents) this.#aborted.add(textOf(content))
  }

  get totals(): { readonly acked: number; readonly unknown: number; readonly aborted: number } {
    return { acked: this.#ackedCount, unknown: this.#unknown.size, aborted: this.#aborted.size }
  }

  /** A message came back. */
  check(message: Message): void {
    this.#checked++
    const { topic, partition, offset } = message
    const place = `${topic}/${partition}`
    const seen = this.#seen.get(place) ?? new Set()
    this.#seen.set(place, seen)
    const isNew = !seen.has(offset)
    seen.add(offset)
    const digest = textOf(message)
    const expected = this.#acked.get(place)?.get(offset)
    if (!isNew) this.#note('doubled', place, offset)
    else if (expected !== undefined) {
      if (expected !== digest) this.#note('unequal', place, offset)
    } else if (this.#aborted.has(digest)) this.#note('aborted', place, offset)
    else if (!this.#unknown.delete(digest)) this.#note('unequal', place, offset)
  }

  /** Call it once everything came back. */
  verdict(): LedgerVerdict {
    for (const [place, offsets] of this.#acked) {
      const seen = this.#seen.get(place)
      for (const offset of offsets.keys()) {
        if (!seen?.has(offset)) this.#note('missing', place, offset)
      }
    }
    return { checked: this.#checked, ...this.#found }
  }

  #note(kind: Finding, place: string, offset: number): void {
    const list = this.#found[kind]
    if (list.length < NAMED_MAX) list.push(`${place}@${offset}`)
  }
}

/** A digest short enough to keep many. */
function textOf(content: Content): string {
  return digestOf(content).toString('base64').slice(0, 24)
}
