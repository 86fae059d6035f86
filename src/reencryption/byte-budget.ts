import type { Clock } from '../clock.ts'

/** Bytes that may be spent ahead of their time: the budget smooths over this much. */
const BURST_MS = 1_000

/**
 * How many bytes a second may be worked on. Callers wait their turn in the order they came; one that
 * asks for more than a second's worth waits no longer than that takes.
 */
export class ByteBudget {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  readonly #stop: AbortSignal
  /** Monotonic time at which all that was given out is paid for. */
  #paidAtMs = 0

  /** `bytesPerSecond` may be Infinity. When `stop` aborts nobody waits any more. */
  constructor(clock: Clock, bytesPerSecond: number, stop: AbortSignal) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#stop = stop
  }

  /** Resolves when `bytes` may be worked on. */
  async take(bytes: number): Promise<void> {
    const nowMs = this.#clock.elapsedMs()
    this.#paidAtMs = Math.max(this.#paidAtMs, nowMs - BURST_MS)
    this.#paidAtMs += (bytes / this.#bytesPerSecond) * 1_000
    const waitMs = this.#paidAtMs - nowMs
    if (waitMs > 0) await this.#clock.sleep(waitMs, this.#stop)
  }
}
