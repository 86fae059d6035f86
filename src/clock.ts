/** Time as the product sees it. Injected, so that tests decide what time it is. */
export interface Clock {
  /** Wall clock, in milliseconds since 1970. May jump; only for what people and storage read. */
  nowMs(): number
  /** Monotonic milliseconds from an arbitrary start. For ages, deadlines and durations. */
  elapsedMs(): number
  /** Resolves after `delayMs`, or at once when `signal` aborts. Never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
  /** As `sleep`, but does not keep the process alive. */
  doze(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: (delayMs, signal) => waited(delayMs, signal, (timer) => timer),
  doze: (delayMs, signal) => waited(delayMs, signal, (timer) => timer.unref()),
}

function waited(
  delayMs: number,
  signal: AbortSignal | undefined,
  adjust: (timer: NodeJS.Timeout) => NodeJS.Timeout,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = adjust(setTimeout(done, delayMs))
    signal?.addEventListener('abort', done, { once: true })
  })
}
