import type { Clock } from './clock.ts'

/** How a budget is spent. */
export interface Pace {
  /** How much there is a second; Infinity for no limit. */
  readonly perSecond: number
  /** What is not used in this time may be made up for later; 0 where nothing is saved up. */
  readonly burstMs: number
}

/**
 * So much of something a second: bytes that are worked on, calls to a service. Callers wait their turn
 * in the order they came; one that asks for more than there is waits no longer than that takes.
 */
export class PacedBudget {
  readonly #clock: Clock
  readonly #burstMs: number
  readonly #stop: AbortSignal | undefined
  #perSecond: number
  /** Monotonic time at which all that was given out is paid for. */
  #paidAtMs = Number.NEGATIVE_INFINITY

  /** When `stop` aborts nobody waits any more. */
  constructor(clock: Clock, { perSecond, burstMs }: Pace, stop?: AbortSignal) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#burstMs = burstMs
    this.#stop = stop
  }

  /** How much there is a second now. */
  get perSecond(): number {
    return this.#perSecond
  }

  /** From now on there is so much; what was given out before is waited for as it was. */
  setPace(perSecond: number): void {
    this.#perSecond = perSecond
  }

  /** Resolves when `amount` is paid for, and may be spent. */
  async take(amount: number): Promise<void> {
    const nowMs = this.#clock.elapsedMs()
    this.#paidAtMs = Math.max(this.#paidAtMs, nowMs - this.#burstMs)
    this.#paidAtMs += (amount / this.#perSecond) * 1_000
    const waitMs = this.#paidAtMs - nowMs
    if (waitMs > 0) await this.#clock.sleep(waitMs, this.#stop)
  }
}
