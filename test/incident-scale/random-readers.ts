import { randomInt } from 'node:crypto'
import { systemClock } from '../../src/clock.ts'
import { messageOf } from '../../src/errors.ts'
import { forEachOf } from '../../src/for-each-of.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import type { SealedReader } from '../../src/index.ts'
import type { NumberedLoad } from './numbered-load.ts'

/** What readers met. */
export interface ReadingOutcome {
  read: number
  bytes: number
  failed: number
  wrong: number
  firstFailure: string | null
  longestMs: number
}

const REFERENCES_AT_ONCE = 16
/** In order, many lie side by side and are one request. */
const ALL_AT_ONCE = 256
const SLICES_AT_ONCE = 3
/** Something of the machine is left to the others. */
const PAUSE_MS = 5

/** Opens references and compares every byte; counts what it met. */
export class RandomReaders {
  readonly outcome: ReadingOutcome = {
    ...{ read: 0, bytes: 0, failed: 0, wrong: 0, firstFailure: null, longestMs: 0 },
  }
  readonly #reader: SealedReader
  readonly #references: readonly Reference[]
  readonly #load: NumberedLoad
  #isOver = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(reader: SealedReader, references: readonly Reference[], load: NumberedLoad) {
    this.#reader = reader
    this.#references = references
    this.#load = load
  }

  /** Begins to read at random. */
  start(readers: number): void {
    this.#running = Promise.all(Array.from({ length: readers }, () => this.#run()))
  }

  /** Ends that. */
  async stop(): Promise<ReadingOutcome> {
    this.#isOver = true
    await this.#running
    return this.outcome
  }

  /** Opens every reference once. */
  async readAll(): Promise<ReadingOutcome> {
    const starts = Array.from(
      { length: Math.ceil(this.#references.length / ALL_AT_ONCE) },
      (_, i) => i * ALL_AT_ONCE,
    )
    await forEachOf(starts, SLICES_AT_ONCE, (at) =>
      this.#read(this.#references.slice(at, at + ALL_AT_ONCE)),
    )
    return this.outcome
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const some = Array.from(
        { length: REFERENCES_AT_ONCE },
        () => this.#references[randomInt(this.#references.length)] as Reference,
      )
      await this.#read(some)
      await systemClock.sleep(PAUSE_MS)
    }
  }

  async #read(references: readonly Reference[]): Promise<void> {
    const startedAtMs = systemClock.elapsedMs()
    try {
      for (const { partition, offset, value } of await this.#reader.openReferences(references)) {
        this.outcome.read++
        this.outcome.bytes += value?.length ?? 0
        if (this.#load.valueAt(partition, offset).equals(value ?? Buffer.alloc(0))) continue
        this.outcome.wrong++
        this.outcome.firstFailure ??= `other bytes at ${partition}@${offset}`
      }
    } catch (error) {
      this.outcome.failed++
      this.outcome.firstFailure ??= messageOf(error)
    }
    const tookMs = systemClock.elapsedMs() - startedAtMs
    this.outcome.longestMs = Math.max(this.outcome.longestMs, Math.round(tookMs))
  }
}
