import type { Message } from '../format/message.ts'
import type { Reference } from '../format/reference-value.ts'
import type { Place, RecordLog } from './ports.ts'
import { type AtOffset, SourceCursor } from './source-cursor.ts'

/** References that are held before their messages are looked up together. */
const HELD_MAX = 2_000
/** Messages between two late ones that are read along rather than paid for with another request. */
const GAP_MAX = 1_000

const ignored = () => {}

/** Deals with one late reference and what stands in the source at its offset. */
export type LateHandler = (reference: Reference, found: AtOffset) => Promise<void>

/**
 * References whose place in the source was passed before they came. They are gathered, and their
 * messages read once more, in runs: a partition that was sealed twice from its beginning has as many
 * of them as messages.
 */
export class LateReferences {
  readonly #place: Place
  readonly #log: RecordLog
  readonly #onFound: LateHandler
  #held: Reference[] = []

  constructor(place: Place, log: RecordLog, onFound: LateHandler) {
    this.#place = place
    this.#log = log
    this.#onFound = onFound
  }

  async add(reference: Reference): Promise<void> {
    this.#held.push(reference)
    if (this.#held.length >= HELD_MAX) await this.flush()
  }

  /** Deals with all that are held. */
  async flush(): Promise<void> {
    const late = this.#held.sort((a, b) => a.offset - b.offset)
    this.#held = []
    for (let from = 0; from < late.length; ) {
      let to = from + 1
      while (to < late.length && offsetAt(late, to) - offsetAt(late, to - 1) <= GAP_MAX) to++
      await this.#lookUp(late.slice(from, to))
      from = to
    }
  }

  /** All of them lie close together, some at the same offset. */
  async #lookUp(references: readonly Reference[]): Promise<void> {
    const first = offsetAt(references, 0)
    const end = offsetAt(references, references.length - 1) + 1
    const { topic, partition } = this.#place
    const chunks = this.#log.read({ topic, partition }, first, end, 'wait')
    const cursor = new SourceCursor(chunks, ignored as (message: Message) => void, ignored)
    let lastOffset = -1
    let found: AtOffset = 'gone'
    try {
      for (const reference of references) {
        const { offset } = reference
        if (offset !== lastOffset) found = await cursor.at(offset)
        lastOffset = offset
        await this.#onFound(reference, found)
      }
    } finally {
      await cursor.close()
    }
  }
}

function offsetAt(references: readonly Reference[], index: number): number {
  return (references[index] as Reference).offset
}
