/** Settles as `work` does, or rejects with the reason of `signal` when that aborts before. `work` goes on. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    // A listener each wait, taken off again: a race against one promise would remember every wait.
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
