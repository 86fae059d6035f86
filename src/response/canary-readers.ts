import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Reference } from '../format/reference-value.ts'
import type { CanaryTopic } from './canary.ts'

/** What readers met. */
export interface ReadingCounts {
  readonly read: number
  /** Readings that failed. */
  readonly failed: number
  /** Messages that were not what had been produced. */
  readonly wrong: number
  /** In words; null without any. */
  readonly firstFailure: string | null
}

const READERS = 2
const REFERENCES_AT_ONCE = 25
/** Whoever fails at once must not do so a thousand times a second. */
const FAILURE_PAUSE_MS = 200

/** Readers that open references again and again, and compare every byte with what was produced. */
export class CanaryReaders {
  readonly #topic: CanaryTopic
  readonly #references: readonly Reference[]
  readonly #values: readonly Buffer[]
  readonly #kekIds: readonly string[]
  readonly #clock: Clock
  readonly #counts = { read: 0, failed: 0, wrong: 0, firstFailure: null as string | null }
  #isOver = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(
    topic: CanaryTopic,
    references: readonly Reference[],
    values: readonly Buffer[],
    kekIds: readonly string[],
    clock: Clock,
  ) {
    this.#topic = topic
    this.#references = references
    this.#values = values
    this.#kekIds = kekIds
    this.#clock = clock
  }

  /** Begins to read. */
  start(): void {
    this.#running = Promise.all(Array.from({ length: READERS }, (_, i) => this.#run(i)))
  }

  /** Ends the reading that was begun. */
  async stop(): Promise<ReadingCounts> {
    this.#isOver = true
    await this.#running
    return { ...this.#counts }
  }

  /** Opens everything once with these KEKs alone, as the last reading; it counts too. */
  async readOnceBy(kekIds: readonly string[]): Promise<ReadingCounts> {
    for (let at = 0; at < this.#references.length; at += REFERENCES_AT_ONCE) {
      await this.#read(at, kekIds)
    }
    return { ...this.#counts }
  }

  async #run(reader: number): Promise<void> {
    const stride = READERS * REFERENCES_AT_ONCE
    let at = reader * REFERENCES_AT_ONCE
    while (!this.#isOver) {
      await this.#read(at % this.#references.length)
      at += stride
    }
  }

  async #read(at: number, kekIds = this.#kekIds): Promise<void> {
    const some = this.#references.slice(at, at + REFERENCES_AT_ONCE)
    try {
      const messages = await this.#topic.open(some, kekIds)
      this.#counts.read += messages.length
      for (const [i, { value }] of messages.entries()) {
        if (this.#values[at + i]?.equals(value ?? Buffer.alloc(0))) continue
        this.#counts.wrong++
        this.#counts.firstFailure ??= 'other bytes'
      }
    } catch (error) {
      this.#counts.failed++
      this.#counts.firstFailure ??= messageOf(error)
      await this.#clock.sleep(FAILURE_PAUSE_MS)
    }
  }
}
