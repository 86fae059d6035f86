import type { Clock } from '../clock.ts'
import type { Kms } from '../keys/kms.ts'

/** Calls that one rewrap may cost the service: it unwraps and wraps, here or there. */
export const CALLS_PER_REWRAP = 2
const CALLS_PER_UNWRAP = 1

/**
 * The same KMS, asked so many times a second at most, evenly, whoever asks: a rewrap must leave
 * quota to those who seal and read. Nothing that was not used is saved up.
 */
export function budgetedKms(
  kms: Pick<Kms, 'rewrap' | 'unwrap'>,
  callsPerSecond: number,
  clock: Clock,
): Pick<Kms, 'rewrap' | 'unwrap'> {
  let freeAtMs = Number.NEGATIVE_INFINITY
  const take = async (calls: number) => {
    const nowMs = clock.elapsedMs()
    const atMs = Math.max(nowMs, freeAtMs)
    freeAtMs = atMs + (calls * 1000) / callsPerSecond
    if (atMs > nowMs) await clock.sleep(atMs - nowMs)
  }
  return {
    async rewrap(...asked) {
      await take(CALLS_PER_REWRAP)
      return kms.rewrap(...asked)
    },
    async unwrap(...asked) {
      await take(CALLS_PER_UNWRAP)
      return kms.unwrap(...asked)
    },
  }
}
