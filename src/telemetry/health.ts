import type { SealError } from '../errors.ts'
import type { ServiceName } from '../pipeline/observer.ts'

/** What one probe answers. `reasons` is empty exactly when `status` is ok. */
export interface HealthReport {
  readonly status: 'ok' | 'degraded' | 'unavailable'
  readonly reasons: readonly string[]
  /** What is allowed in the configuration, and only good for some; left out when there is nothing. */
  readonly warnings?: readonly string[]
}

/**
 * How the process stands, for probes.
 *
 * Alive until {@link fail}: a dead process is to be restarted. Ready when the process has started
 * and was assigned once, unless it waits for a service or stops. Stopped partitions make it
 * degraded and not unavailable: the others go on, and a restart would not help.
 */
export class Health {
  #failure: string | null = null
  #isStarted = false
  #isAssigned = false
  #isStopping = false
  readonly #waits = new Map<ServiceName, string>()
  readonly #stopped = new Map<string, string>()
  readonly #warnings: readonly string[]

  /** `warnings` stand in every report and change no status. */
  constructor(warnings: readonly string[] = []) {
    this.#warnings = warnings
  }

  /** Everything is connected. */
  start(): void {
    this.#isStarted = true
  }

  /** The process drains and takes no more work. */
  stop(): void {
    this.#isStopping = true
  }

  /** The process cannot go on. For good. */
  fail(reason: string): void {
    this.#failure ??= reason
  }

  /** The group gave this process its share, perhaps an empty one. */
  assign(): void {
    this.#isAssigned = true
  }

  waitFor(service: ServiceName, error: SealError): void {
    this.#waits.set(service, `waiting for ${service}: ${error.message} [${error.code}]`)
  }

  recover(service: ServiceName): void {
    this.#waits.delete(service)
  }

  /** For the life of the process: an alarm that outlasts its cause is better than a lost one. */
  stopPartition(topic: string, partition: number, offset: number, error: SealError): void {
    const place = `${topic}/${partition}`
    this.#stopped.set(place, `${place} stopped at ${offset}: ${error.message} [${error.code}]`)
  }

  /** How many partitions stand still. */
  get stoppedPartitions(): number {
    return this.#stopped.size
  }

  /** Whether the process should be left alone (ok) or restarted (unavailable). */
  liveness(): HealthReport {
    return this.#failure === null
      ? this.#report('ok', [])
      : this.#report('unavailable', [this.#failure])
  }

  /** Whether the process does its work now. */
  readiness(): HealthReport {
    const reasons = [...this.#waits.values()]
    if (this.#failure !== null) reasons.push(this.#failure)
    if (this.#isStopping) reasons.push('stopping')
    if (!this.#isStarted) reasons.push('not started yet')
    else if (!this.#isAssigned) reasons.push('no partitions assigned yet')
    const status = reasons.length > 0 ? 'unavailable' : this.#stopped.size > 0 ? 'degraded' : 'ok'
    return this.#report(status, [...reasons, ...this.#stopped.values()])
  }

  #report(status: HealthReport['status'], reasons: readonly string[]): HealthReport {
    const warnings = this.#warnings
    return { status, reasons, ...(warnings.length > 0 && { warnings }) }
  }
}

/** The state of a process that has just begun: alive, not ready; `warnings` stand in its reports. */
export function createHealth(warnings: readonly string[] = []): Health {
  return new Health(warnings)
}
