import type { RotationRound } from '../mapping/rotation-log.ts'
import { isLookDue, lookAtRound, type RoundServices, type RoundSettings } from './rotation-round.ts'

/** Hears of rounds, whoever looked. Calls are cheap and never throw. */
export interface ScheduleObserver {
  rotationRound(round: RotationRound): void
  /** It is tried again. */
  rotationFailed(error: unknown): void
}

/**
 * The share of a process in seeing to it that no data stays under a DEK that is older than a limit.
 * Every process looks at the time now and then; the one that gets the lease goes over what is too old
 * and gives it out to all.
 */
export class RotationSchedule {
  readonly #services: RoundServices
  readonly #observer: ScheduleObserver
  readonly #settings: RoundSettings
  readonly #lookEveryMs: number
  readonly #stop = new AbortController()
  #running: Promise<void> | null = null

  constructor(
    services: RoundServices,
    observer: ScheduleObserver,
    settings: RoundSettings,
    lookEveryMs: number,
  ) {
    this.#services = services
    this.#observer = observer
    this.#settings = settings
    this.#lookEveryMs = lookEveryMs
  }

  /** Begins to look. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when no look is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const round = await this.#look()
        if (round !== null) this.#observer.rotationRound(round)
      } catch (error) {
        this.#observer.rotationFailed(error)
      }
      await this.#services.clock.doze(this.#lookEveryMs, signal)
    }
  }

  async #look(): Promise<RotationRound | null> {
    const latest = await this.#services.rotation.latestRound()
    if (!(await isLookDue(this.#services, latest, this.#settings))) return latest
    return (await lookAtRound(this.#services, this.#settings)) ?? latest
  }
}
