import { ManualClock } from './manual-clock.ts'

/** Time that passes only in `step`; who sleeps stays asleep until then. */
export class SteppedClock extends ManualClock {
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()

  override sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    this.slept.push(delayMs)
    return new Promise((resolve) => {
      const sleeper = {
        atMs: this.elapsedMs() + delayMs,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake, { once: true })
    })
  }

  override doze(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.sleep(delayMs, signal)
  }

  /** Lets `ms` pass, sleeper by sleeper in the order of their time, and all that follows settle. */
  async step(ms: number): Promise<void> {
    await settled()
    const endMs = this.elapsedMs() + ms
    for (;;) {
      const due = [...this.#sleepers].filter(({ atMs }) => atMs <= endMs)
      const next = due.toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.advance(Math.max(next.atMs - this.elapsedMs(), 0))
      next.wake()
      await settled()
    }
    this.advance(endMs - this.elapsedMs())
  }
}

/** Resolves when everything has happened that happens without time and without outside help. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
