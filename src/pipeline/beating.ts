import type { Clock } from '../clock.ts'

const HEARTBEAT_EVERY_MS = 1_000

/**
 * Awaits `work`, heart beating every second, so that however long it takes does not cost the
 * membership of a consumer group. Settles as `work` does, or rejects with the first heartbeat that
 * rejects; `work` then goes on by itself.
 */
export async function beating<T>(
  work: Promise<T>,
  heartbeat: () => Promise<void>,
  clock: Clock,
): Promise<T> {
  const over = new AbortController()
  const beat = async () => {
    for (;;) {
      await clock.sleep(HEARTBEAT_EVERY_MS, over.signal)
      if (over.signal.aborted) return work
      await heartbeat()
    }
  }
  try {
    return await Promise.race([work, beat()])
  } finally {
    over.abort()
  }
}
