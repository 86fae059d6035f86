import { isSealError } from '../errors.ts'
import { isReferenceList, parseReferences } from '../format/reference-list.ts'
import { ReferenceParser } from '../format/reference-parser.ts'
import type { Reference } from '../format/reference-value.ts'
import { abortable } from './abortable.ts'
import type { ReferenceValue } from './sealed-reader.ts'
import type { Slice, SliceSource } from './slices-ahead.ts'

/** How references are cut into slices. */
export interface FeedOptions {
  readonly sliceBytesMax: number
  readonly signal?: AbortSignal | undefined
}

/** Bounds the work of one slice when messages are tiny. */
const SLICE_REFERENCES_MAX = 8_192
/** Turns of the microtask queue in which whatever is at hand arrives. */
const TURNS_MAX = 4

type Result = IteratorResult<ReferenceValue>

/**
 * Cuts references into slices as they come: what is there at once goes together, and nothing waits for
 * what is not there yet.
 */
export class ReferenceFeed implements SliceSource<ReferenceValue> {
  readonly #iterator: AsyncIterator<ReferenceValue> | Iterator<ReferenceValue>
  readonly #options: FeedOptions
  readonly #parser = new ReferenceParser()
  /** The answer of the iterator that was asked for and is not used yet. */
  #asked: Promise<Result> | null = null
  #arrived: Result | null = null
  /** What is left of a value that names several messages. */
  #listed: readonly Reference[] = []
  #listedAt = 0
  #isOver = false

  constructor(
    references: Iterable<ReferenceValue> | AsyncIterable<ReferenceValue>,
    options: FeedOptions,
  ) {
    this.#iterator =
      Symbol.asyncIterator in references
        ? references[Symbol.asyncIterator]()
        : references[Symbol.iterator]()
    this.#options = options
  }

  /** See {@link SliceSource.next}. Throws what the references do. */
  async next(isUrgent: boolean): Promise<Slice<ReferenceValue> | null | undefined> {
    const values: ReferenceValue[] = []
    let bytes = 0
    while (!this.#isOver) {
      const value =
        this.#listed[this.#listedAt++] ?? (await this.#one(isUrgent && values.length === 0))
      if (value === null) break
      values.push(value)
      bytes += this.#bytesOf(value)
      const isFull = bytes >= this.#options.sliceBytesMax
      if (isFull || values.length >= SLICE_REFERENCES_MAX) break
    }
    if (values.length > 0) return { values, bytes }
    return this.#isOver ? null : undefined
  }

  /** Tells the iterator that nothing more is wanted. Does not wait for one that is asleep. */
  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    void Promise.resolve(this.#iterator.return?.()).catch(() => {})
  }

  /** The next reference; null at the end, and when none is there yet that is worth the wait. */
  async #one(isUrgent: boolean): Promise<ReferenceValue | null> {
    const result = await this.#take(isUrgent)
    if (result === null) return null
    if (result.done) {
      this.#isOver = true
      return null
    }
    // A record may have no value, whatever its type says.
    const value = result.value ?? ''
    if (!isReferenceList(value)) return value
    try {
      this.#listed = parseReferences(value)
    } catch (error) {
      // Opening it says what is wrong with it.
      if (isSealError(error)) return value
      throw error
    }
    this.#listedAt = 1
    return this.#listed[0] ?? null
  }

  /** The next result; null when none is there yet and `isUrgent` does not make it worth the wait. */
  async #take(isUrgent: boolean): Promise<Result | null> {
    if (this.#asked === null) {
      this.#asked = this.#ask()
      // A failure is told when it is waited for.
      this.#asked.catch(() => {})
    }
    for (let turn = 0; this.#arrived === null && turn < TURNS_MAX; turn++) await null
    if (this.#arrived === null) await new Promise(setImmediate)
    if (this.#arrived === null && !isUrgent) return null
    const result = this.#arrived ?? (await abortable(this.#asked, this.#options.signal))
    this.#asked = null
    this.#arrived = null
    return result
  }

  async #ask(): Promise<Result> {
    const result = await this.#iterator.next()
    this.#arrived = result
    return result
  }

  /** A reference that is none takes nothing; opening it says so. */
  #bytesOf(value: ReferenceValue): number {
    try {
      return this.#parser.parse(value).length
    } catch (error) {
      if (isSealError(error)) return 0
      throw error
    }
  }
}
