/**
 * Runs `work` on every item, `atOnce` of them at a time, and asks for an item only when there is room
 * for it. Rejects with the first failure, when all that was begun has ended.
 */
export async function forEachOf<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = iteratorOf(items)
  let isFailed = false
  const run = async () => {
    try {
      for (
        let next = await iterator.next();
        !next.done && !isFailed;
        next = await iterator.next()
      ) {
        await work(next.value)
      }
    } catch (error) {
      isFailed = true
      throw error
    }
  }
  const runs = await Promise.allSettled(Array.from({ length: atOnce }, run))
  for (const outcome of runs) {
    if (outcome.status === 'fulfilled') continue
    await iterator.return?.()
    throw outcome.reason
  }
}

function iteratorOf<T>(items: Iterable<T> | AsyncIterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
}
