/**
 * Runs `work` on what comes, `atOnce` at a time, and asks for no more than that. Rejects with the first
 * failure, when all that was begun has ended.
 */
export async function eachAtOnce<T>(
  items: AsyncGenerator<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let isFailed = false
  const run = async () => {
    try {
      for (let next = await items.next(); !next.done && !isFailed; next = await items.next()) {
        await work(next.value)
      }
    } catch (error) {
      isFailed = true
      throw error
    }
  }
  const runs = await Promise.allSettled(Array.from({ length: atOnce }, run))
  await items.return(undefined)
  for (const outcome of runs) if (outcome.status === 'rejected') throw outcome.reason
}
