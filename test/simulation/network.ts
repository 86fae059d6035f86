import { type ErrorCode, SealError } from '../../src/errors.ts'
import type { Host } from './host.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export type Service = 'kafka' | 's3' | 'cassandra' | 'kms'

/** How likely each call goes wrong, from 0 to 1. */
export interface FaultRates {
  /** Answered with an error at once; nothing was done. */
  readonly refused: number
  /** Never arrives. */
  readonly requestLost: number
  /** Done, but nobody hears of it. */
  readonly replyLost: number
  /** Done long after the caller has given up. */
  readonly held: number
  /** Done and answered, late. */
  readonly slow: number
}

type Fate = 'fine' | 'refused' | 'request lost' | 'reply lost' | 'held' | 'slow'

export const NO_FAULTS: FaultRates = {
  ...{ refused: 0, requestLost: 0, replyLost: 0, held: 0, slow: 0 },
}

const UNAVAILABLE: Readonly<Record<Service, ErrorCode>> = {
  kafka: 'SEAL_KAFKA_UNAVAILABLE',
  s3: 'SEAL_STORE_UNAVAILABLE',
  cassandra: 'SEAL_MAPPING_UNAVAILABLE',
  kms: 'SEAL_KMS_UNAVAILABLE',
}

/** After this time a caller gives up. */
const TIMEOUT_MS: Readonly<Record<Service, number>> = {
  kafka: 3_000,
  s3: 2_000,
  cassandra: 1_000,
  kms: 800,
}
/** How long after the caller has given up a held request may arrive, at most. */
const HELD_MS_MAX = 40_000

/** What passes: the same call may succeed later. */
export function unavailable(service: Service, why: string): SealError {
  return new SealError(UNAVAILABLE[service], why, { retryable: true })
}

/** The ways between processes and services, and all that goes wrong on them. */
export class Network {
  readonly rates: Record<Service, FaultRates>
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #note: (line: () => string) => void
  readonly #down = new Map<Service, 'refusing' | 'silent'>()

  constructor(
    { scheduler, random }: { scheduler: Scheduler; random: Random },
    rates: Record<Service, FaultRates>,
    note: (line: () => string) => void,
  ) {
    this.#scheduler = scheduler
    this.#random = random
    this.rates = rates
    this.#note = note
  }

  /** Takes a service away, or gives it back. */
  setDown(service: Service, how: 'refusing' | 'silent' | null): void {
    if (how === null) this.#down.delete(service)
    else this.#down.set(service, how)
  }

  /**
   * One request of `host`. `apply` is what the service does when it arrives: it returns the answer, or
   * throws it. Rejects with what passes when the answer does not come in time.
   */
  call<T>(host: Host, service: Service, what: string, apply: () => T): Promise<T> {
    const asked = (answer: (give: () => T) => void) => {
      let result: T
      try {
        result = apply()
      } catch (error) {
        answer(() => {
          throw error
        })
        return
      }
      answer(() => result)
    }
    return this.ask(host, service, what, asked)
  }

  /** As {@link call}, for a service that answers when it likes to. */
  ask<T>(
    host: Host,
    service: Service,
    what: string,
    arrive: (answer: (give: () => T) => void) => void,
    timeoutMs = TIMEOUT_MS[service],
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const { fate, delayMs } = this.#fateOf(service)
      if (fate !== 'fine') this.#note(() => `${host.name}: ${what} ${fate}`)
      const settle = (give: () => T) => {
        this.#scheduler.cancel(late)
        try {
          resolve(give())
        } catch (error) {
          reject(error)
        }
      }
      const fail = (why: string) => () => {
        throw unavailable(service, why)
      }
      const late = this.#scheduler.at(timeoutMs, () =>
        host.deliver(() => settle(fail(`${what}: no answer`))),
      )
      if (fate === 'refused') {
        this.#scheduler.at(delayMs, () => host.deliver(() => settle(fail(`${what}: refused`))))
        return
      }
      if (fate === 'request lost') return
      this.#scheduler.at(delayMs, () => {
        this.#note(() => `${host.name}: ${what}${fate === 'fine' ? '' : ` (${fate})`}`)
        arrive((give) => {
          if (fate === 'reply lost' || fate === 'held') return
          this.#scheduler.at(this.#latencyMs(), () => host.deliver(() => settle(give)))
        })
      })
    })
  }

  #fateOf(service: Service): { fate: Fate; delayMs: number } {
    const random = this.#random
    const rates = this.rates[service]
    const quickMs = this.#latencyMs()
    const down = this.#down.get(service)
    if (down !== undefined) {
      return { fate: down === 'refusing' ? 'refused' : 'request lost', delayMs: quickMs }
    }
    const timeoutMs = TIMEOUT_MS[service]
    let roll = random.next()
    for (const [fate, rate] of [
      ['refused', rates.refused],
      ['request lost', rates.requestLost],
      ['reply lost', rates.replyLost],
      ['held', rates.held],
      ['slow', rates.slow],
    ] as const) {
      roll -= rate
      if (roll >= 0) continue
      if (fate === 'held') {
        return { fate, delayMs: timeoutMs * 0.5 + random.next() ** 3 * HELD_MS_MAX }
      }
      return { fate, delayMs: fate === 'slow' ? random.next() * timeoutMs : quickMs }
    }
    return { fate: 'fine', delayMs: quickMs }
  }

  #latencyMs(): number {
    return 0.5 + this.#random.next() ** 2 * 12
  }
}
