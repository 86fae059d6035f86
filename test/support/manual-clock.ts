import type { Clock } from '../../src/clock.ts'

/** Time that passes only when somebody sleeps or a test says so. */
export class ManualClock implements Clock {
  /** Every sleep that was asked for, in milliseconds. */
  readonly slept: number[] = []
  #elapsedMs = 1_000
  #setForwardMs = 0

  nowMs(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5) + this.#setForwardMs + this.#elapsedMs
  }

  elapsedMs(): number {
    return this.#elapsedMs
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return
    this.slept.push(delayMs)
    this.advance(delayMs)
  }

  /** Goes on for ever: who dozes waits for time that passes without him. */
  doze(_delayMs: number, _signal?: AbortSignal): Promise<void> {
    return new Promise(() => {})
  }

  /** Sets the wall clock forward, or back where `ms` is negative, while no time passes. */
  setWallForward(ms: number): void {
    this.#setForwardMs += ms
  }

  advance(ms: number): void {
    this.#elapsedMs += ms
  }
}
