import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { isSealError, messageOf, SealError } from '../errors.ts'
import type { Kms } from './kms.ts'

/** How long and how often a KMS is asked. */
export interface ResilienceOptions {
  /** Tries of one call, the first included; only failures that pass are tried again. */
  readonly triesMax: number
  /** How long one try may take. */
  readonly timeoutMs: number
}

/** This many failures in a row, over all calls, open the circuit. */
const FAILURES_TO_OPEN = 5
/** While the circuit is open, one try goes through after this time, and closes it or opens it again. */
const OPEN_MS = 2_000
const RETRY_MS_MIN = 50
const RETRY_MS_MAX = 2_000

const passes = (error: unknown) => isSealError(error) && error.retryable

/**
 * The same KMS with a limit on the time of a try, a circuit breaker and more than one try, from the
 * inside out. A try that is given up is not cut off: a key that it brings later is wiped. While the
 * circuit is open, calls fail at once with SEAL_KMS_UNAVAILABLE and the KMS is left alone, so that
 * its outage is not prolonged by those who wait for its end.
 */
export function resilientKms(kms: Kms, { triesMax, timeoutMs }: ResilienceOptions): Kms {
  let lastReason = 'no reason given'
  const breaker = circuitBreaker(handleWhen(passes), {
    halfOpenAfter: OPEN_MS,
    breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
  })
  breaker.onFailure(({ reason }) => {
    if ('error' in reason) lastReason = messageOf(reason.error)
  })
  const limit = timeout(timeoutMs, TimeoutStrategy.Aggressive)
  const retrying = retry(handleWhen(passes), {
    maxAttempts: triesMax - 1,
    backoff: new ExponentialBackoff({ initialDelay: RETRY_MS_MIN, maxDelay: RETRY_MS_MAX }),
  })
  const guarded = wrap(retrying, breaker)

  const timed = async <T>(call: () => Promise<T>, wipe: (late: T) => void): Promise<T> => {
    try {
      return await limit.execute(async ({ signal }) => {
        const result = await call()
        if (signal.aborted) wipe(result)
        return result
      })
    } catch (error) {
      if (!(error instanceof TaskCancelledError)) throw error
      throw new SealError('SEAL_KMS_UNAVAILABLE', `the KMS gave no answer in ${timeoutMs} ms`, {
        retryable: true,
      })
    }
  }
  const resilient = async <T>(call: () => Promise<T>, wipe: (late: T) => void): Promise<T> => {
    try {
      return await guarded.execute(() => timed(call, wipe))
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error
      throw new SealError(
        'SEAL_KMS_UNAVAILABLE',
        `the KMS failed ${FAILURES_TO_OPEN} times in a row and is asked again in ${OPEN_MS} ms at most (last: ${lastReason})`,
        { retryable: true },
      )
    }
  }
  return {
    generateDataKey: (...asked) =>
      resilient(
        () => kms.generateDataKey(...asked),
        ({ plaintext }) => plaintext.fill(0),
      ),
    unwrap: (...asked) =>
      resilient(
        () => kms.unwrap(...asked),
        (plaintext) => plaintext.fill(0),
      ),
    rewrap: (...asked) =>
      resilient(
        () => kms.rewrap(...asked),
        () => {},
      ),
    close: () => kms.close(),
  }
}
