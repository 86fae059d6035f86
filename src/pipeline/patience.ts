import type { Clock } from '../clock.ts'
import { isSealError, SealError } from '../errors.ts'
import type { PipelineObserver, ServiceName } from './observer.ts'

const FIRST_DELAY_MS = 100
const DELAY_MS_MAX = 5_000

/** Who hears of waiting. */
export type PatienceObserver = Pick<PipelineObserver, 'waiting' | 'recovered'>

/** One waiting, from its begin to its end. */
export interface Wait {
  /** A try failed in a way that passes. */
  failed(error: SealError, attempt: number): void
  /** It succeeded, or was given up. */
  over(): void
}

/**
 * Waits for services that go away for a while. A call that fails in a way that passes is made
 * again, after a growing and jittered pause, until it succeeds or the process stops; every other
 * failure goes through at once. The observer hears of the waiting and of its end.
 */
export class Patience {
  readonly #clock: Clock
  readonly #observer: PatienceObserver
  readonly #stop: AbortSignal
  readonly #triesMax: number
  /** Calls that wait for each service now. It has recovered when the last of them is over. */
  readonly #waiters = new Map<ServiceName, number>()

  /** Who can leave a call out and go on with others has no use for more than `triesMax`. */
  constructor(
    clock: Clock,
    observer: PatienceObserver,
    stop: AbortSignal,
    triesMax = Number.POSITIVE_INFINITY,
  ) {
    this.#clock = clock
    this.#observer = observer
    this.#stop = stop
    this.#triesMax = triesMax
  }

  /**
   * Runs `call` until it settles for good, or has failed as often as it may; `onTrouble` hears of each
   * try that is made again. Throws SEAL_STOPPED when the process stops first.
   */
  async with<T>(call: () => Promise<T>, onTrouble?: () => void): Promise<T> {
    const wait = this.begin()
    for (let attempt = 1; ; attempt++) {
      if (this.#stop.aborted) {
        throw new SealError('SEAL_STOPPED', 'given up: the process is stopping')
      }
      try {
        const result = await call()
        wait.over()
        return result
      } catch (error) {
        if (!isSealError(error) || !error.retryable || attempt >= this.#triesMax) {
          wait.over()
          throw error
        }
        wait.failed(error, attempt)
        onTrouble?.()
        await this.#clock.sleep(delayMs(attempt), this.#stop)
      }
    }
  }

  /** Begins something that may come to wait; `with` does so for calls. */
  begin(): Wait {
    const startedAtMs = this.#clock.elapsedMs()
    let awaited: ServiceName | null = null
    const expect = (service: ServiceName | null) => {
      if (service === awaited) return
      const waitedMs = this.#clock.elapsedMs() - startedAtMs
      if (awaited !== null) this.#count(awaited, -1, waitedMs)
      if (service !== null) this.#count(service, 1, waitedMs)
      awaited = service
    }
    return {
      failed: (error, attempt) => {
        const service = serviceOf(error)
        expect(service)
        this.#observer.waiting(service, error, attempt, this.#clock.elapsedMs() - startedAtMs)
      },
      over: () => expect(null),
    }
  }

  #count(service: ServiceName, change: 1 | -1, waitedMs: number): void {
    const waiters = (this.#waiters.get(service) ?? 0) + change
    this.#waiters.set(service, waiters)
    if (waiters === 0) this.#observer.recovered(service, waitedMs)
  }
}

/** Exponential with full jitter over its upper half, so that many processes spread out. */
function delayMs(attempt: number): number {
  const ceiling = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), DELAY_MS_MAX)
  return ceiling * (0.5 + Math.random() / 2)
}

/** Which service an error is about, by the family of its code. */
function serviceOf(error: SealError): ServiceName {
  if (error.code.startsWith('SEAL_MAPPING_')) return 'cassandra'
  if (error.code.startsWith('SEAL_STORE_')) return 's3'
  return error.code.startsWith('SEAL_KMS_') ? 'kms' : 'kafka'
}
