import type { Clock } from '../clock.ts'
import { isSealError, type SealError } from '../errors.ts'
import {
  type ReencryptionItem,
  type ReencryptionOutcome,
  type ReencryptionServices,
  reencryptSegment,
} from './segment-reencryption.ts'
import type { ReencryptionOrder, WorkQueue } from './work-queue.ts'

/** Hears what a process does that takes part. Calls are cheap and never throw. */
export interface CrewObserver {
  reencrypted(outcome: ReencryptionOutcome): void
  /** The segment stays as it was: readable, under its old DEK. A later job meets it again. */
  reencryptionFailed(item: ReencryptionItem, error: SealError): void
  /** The queue cannot be reached; it is tried again. */
  reencryptionQueueFailed(error: unknown): void
}

/** What a crew works with. */
export interface CrewServices {
  readonly queue: WorkQueue
  /** Opens everything that a re-encryption needs, and closes it when `work` is through. */
  readonly withServices: (work: (services: ReencryptionServices) => Promise<void>) => Promise<void>
  readonly observer: CrewObserver
  readonly clock: Clock
}

/** How a process takes part. */
export interface CrewSettings {
  readonly ordersAtOnce: number
  /** How often somebody looks whether there is work. */
  readonly lookEveryMs: number
}

/**
 * A process that takes part in re-encryptions beside its own work. While there are no orders it holds
 * nothing: no connection but that which looks for some, no thread, no membership. When there are, it
 * joins those who take them, and leaves when none are left.
 */
export class ReencryptionCrew {
  readonly #services: CrewServices
  readonly #settings: CrewSettings
  readonly #stop = new AbortController()
  #running: Promise<void> | null = null

  constructor(services: CrewServices, settings: CrewSettings) {
    this.#services = services
    this.#settings = settings
  }

  /** Begins to look for orders. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is under way any more; orders that were not done come to others. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { queue, observer, clock } = this.#services
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        if ((await queue.left()) > 0) await this.#takePart()
      } catch (error) {
        observer.reencryptionQueueFailed(error)
      }
      await clock.doze(this.#settings.lookEveryMs, signal)
    }
  }

  async #takePart(): Promise<void> {
    const { queue, withServices } = this.#services
    const { ordersAtOnce: atOnce } = this.#settings
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, this.#stop.signal])
    await withServices(async (services) => {
      const taking = queue.take((order) => this.#carryOut(services, order), { atOnce, signal })
      const ending = this.#untilNoneLeft(signal).finally(() => over.abort())
      await Promise.all([taking.finally(() => over.abort()), ending])
    })
  }

  async #untilNoneLeft(signal: AbortSignal): Promise<void> {
    const { queue, clock } = this.#services
    do await clock.sleep(this.#settings.lookEveryMs, signal)
    while (!signal.aborted && (await queue.left()) > 0)
  }

  async #carryOut(services: ReencryptionServices, order: ReencryptionOrder): Promise<void> {
    const { observer } = this.#services
    try {
      observer.reencrypted(await reencryptSegment({ ...services, leaving: order.leaving }, order))
    } catch (error) {
      if (!isSealError(error)) throw error
      if (!isSealError(error, 'SEAL_STOPPED')) observer.reencryptionFailed(order, error)
    }
  }
}
