import type { Clock } from '../../src/clock.ts'
import type { Scheduler } from './scheduler.ts'

/** Where wall clocks of the simulated world stand at its beginning. */
export const EPOCH_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

/**
 * One process of the simulated world. All that comes to it from outside (answers, timers) comes
 * through `deliver`: a process that crashed hears of nothing any more, one that is paused hears of all
 * of it when it goes on. What it sent out before is on its way regardless.
 */
export class Host {
  readonly name: string
  readonly clock: Clock
  readonly #scheduler: Scheduler
  #inbox: (() => void)[] | null = null
  #isDead = false

  constructor(name: string, scheduler: Scheduler, wallSkewMs: number) {
    this.name = name
    this.#scheduler = scheduler
    const sleep = (delayMs: number, signal?: AbortSignal) => this.#sleep(delayMs, signal)
    this.clock = {
      nowMs: () => EPOCH_MS + Math.floor(scheduler.nowMs) + wallSkewMs,
      elapsedMs: () => scheduler.nowMs,
      sleep,
      doze: sleep,
    }
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get isPaused(): boolean {
    return this.#inbox !== null
  }

  deliver(run: () => void): void {
    if (this.#isDead) return
    if (this.#inbox !== null) this.#inbox.push(run)
    else run()
  }

  crash(): void {
    this.#isDead = true
    this.#inbox = null
  }

  pause(): void {
    if (!this.#isDead) this.#inbox ??= []
  }

  resume(): void {
    const inbox = this.#inbox ?? []
    this.#inbox = null
    for (const run of inbox) this.#scheduler.at(0, () => this.deliver(run))
  }

  #sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        this.#scheduler.cancel(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = this.#scheduler.at(delayMs, () => this.deliver(done))
      signal?.addEventListener('abort', done, { once: true })
    })
  }
}
