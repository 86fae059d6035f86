import { systemClock } from '../../../src/clock.ts'
import { messageOf } from '../../../src/errors.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import type { Disturbance, Disturbances } from './disturbances.ts'
import type { Progress } from './progress.ts'
import { type RunLog, secondsText } from './run-log.ts'

const PAUSE_MS_MIN = 1_000
const PAUSE_MS_MAX = 6_000
const TWO_AT_ONCE = 0.2
const AT_ONCE_MAX = 3
/** So many draws, and then everything is let come back. */
const DRAWS_PER_ACT = 8
const RECOVERED_WITHIN_MS = 240_000

/** What came of it. */
export interface StoryEnd {
  readonly events: ReadonlyMap<string, number>
  /** How long it took, each time that everything was back, until all that Kafka held was sealed. */
  readonly recoveriesMs: readonly number[]
  /** Times that it took too long. */
  readonly stuck: number
  /** Events that could not be carried out to their end. */
  readonly failures: number
}

/**
 * What happens in a run: acts of random events, up to three at a time, and after each act a pause in
 * which all is back and the group must catch up with Kafka.
 */
export class Storyline {
  readonly #random: SeededRandom
  readonly #disturbances: Disturbances
  readonly #progress: Progress
  readonly #log: RunLog
  readonly #running = new Map<string, Promise<void>>()
  readonly #events = new Map<string, number>()
  readonly #recoveriesMs: number[] = []
  #stuck = 0
  #failures = 0

  constructor(random: SeededRandom, disturbances: Disturbances, progress: Progress, log: RunLog) {
    this.#random = random
    this.#disturbances = disturbances
    this.#progress = progress
    this.#log = log
  }

  /** Waits for the first messages, goes on for `forMs`, and then to the end of the act. */
  async run(forMs: number, signal: AbortSignal): Promise<StoryEnd> {
    this.#log.note('the encryptors start')
    await this.#calm(signal)
    // Starting is no recovery.
    this.#recoveriesMs.length = 0
    const endMs = systemClock.elapsedMs() + forMs
    while (systemClock.elapsedMs() < endMs && !signal.aborted) {
      for (let draw = 0; draw < DRAWS_PER_ACT && systemClock.elapsedMs() < endMs; draw++) {
        await systemClock.sleep(this.#random.between(PAUSE_MS_MIN, PAUSE_MS_MAX), signal)
        if (signal.aborted) break
        const count = this.#random.next() < TWO_AT_ONCE ? 2 : 1
        for (let i = 0; i < count; i++) await this.#begin(this.#disturbances.draw())
      }
      await Promise.all(this.#running.values())
      await this.#calm(signal)
    }
    return {
      ...{ events: this.#events, recoveriesMs: this.#recoveriesMs },
      ...{ stuck: this.#stuck, failures: this.#failures },
    }
  }

  /** One whose target is busy is passed over. */
  async #begin(disturbance: Disturbance): Promise<void> {
    const { kind, target, text } = disturbance
    if (this.#running.has(target)) return
    while (this.#running.size >= AT_ONCE_MAX) await Promise.race(this.#running.values())
    this.#log.note(text)
    this.#events.set(kind, (this.#events.get(kind) ?? 0) + 1)
    const work = disturbance.run().catch((error: unknown) => {
      this.#failures++
      this.#log.note(`${text}: ${messageOf(error)}`)
    })
    this.#running.set(
      target,
      work.then(() => void this.#running.delete(target)),
    )
  }

  async #calm(signal: AbortSignal): Promise<void> {
    const elapsedMs = await this.#progress.caughtUp(RECOVERED_WITHIN_MS, signal)
    if (elapsedMs !== null) {
      this.#recoveriesMs.push(elapsedMs)
      this.#log.note(`all is there: everything sealed after ${secondsText(elapsedMs)}`)
    } else if (!signal.aborted) {
      this.#stuck++
      const behind = await this.#progress.behind().catch(messageOf)
      this.#log.note(`all is there, and not everything is sealed in time: ${behind}`)
    }
  }
}
