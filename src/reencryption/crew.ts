import type { Clock } from '../clock.ts'
import { isSealError, type SealError } from '../errors.ts'
import { concernsAll } from './general-failures.ts'
import {
  type ReencryptionItem,
  type ReencryptionOutcome,
  type ReencryptionServices,
  reencryptSegment,
} from './segment-reencryption.ts'
import type { OrderWork, ReencryptionOrder, WorkQueue } from './work-queue.ts'

/** Hears what a process does that takes part. Calls are cheap and never throw. */
export interface CrewObserver {
  reencrypted(outcome: ReencryptionOutcome): void
  /** The segment stays as it was: readable, under its old DEK. A later job meets it again. */
  reencryptionFailed(item: ReencryptionItem, error: SealError): void
  /**
   * This process lacks what it takes, rights as a rule: it leaves the orders to others, and looks again
   * after so long. null when it takes part again.
   */
  reencryptionSteppedBack(error: SealError | null, forMs: number): void
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
  /** How long it leaves orders to others when it lacks what they take. */
  readonly stepBackMs: number
}

/**
 * An order that so many processes put back is one that nobody can carry out: a key that nobody may
 * use. It fails, and those behind it go on.
 */
const REFUSALS_MAX = 8

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
    const { lookEveryMs, stepBackMs } = this.#settings
    const { signal } = this.#stop
    while (!signal.aborted) {
      let refusal: SealError | null = null
      try {
        if ((await queue.left()) > 0) refusal = await this.#takePart()
      } catch (error) {
        if (concernsAll(error)) refusal = error
        else observer.reencryptionQueueFailed(error)
      }
      if (refusal !== null) observer.reencryptionSteppedBack(refusal, stepBackMs)
      await clock.doze(refusal === null ? lookEveryMs : stepBackMs, signal)
      if (refusal !== null) observer.reencryptionSteppedBack(null, 0)
    }
  }

  /** Returns why this process should take no more, if it should not. */
  async #takePart(): Promise<SealError | null> {
    const { queue, withServices } = this.#services
    const { ordersAtOnce: atOnce } = this.#settings
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, this.#stop.signal])
    let refusal: SealError | null = null
    await withServices(async (services) => {
      const work: OrderWork = async (order) => {
        refusal = (await this.#carryOut(services, order)) ?? refusal
        return refusal === null ? 'next' : 'enough'
      }
      const taking = queue.take(work, { atOnce, signal })
      const ending = this.#untilNoneLeft(signal).finally(() => over.abort())
      await Promise.all([taking.finally(() => over.abort()), ending])
    })
    return refusal
  }

  async #untilNoneLeft(signal: AbortSignal): Promise<void> {
    const { queue, clock } = this.#services
    do await clock.sleep(this.#settings.lookEveryMs, signal)
    while (!signal.aborted && (await queue.left()) > 0)
  }

  /** Returns what this process lacks for it; then the order is put back, behind all others. */
  async #carryOut(
    services: ReencryptionServices,
    order: ReencryptionOrder,
  ): Promise<SealError | null> {
    const { observer, queue } = this.#services
    try {
      observer.reencrypted(await reencryptSegment({ ...services, leaving: order.leaving }, order))
    } catch (error) {
      if (!isSealError(error)) throw error
      if (concernsAll(error) && order.refusals < REFUSALS_MAX) {
        await queue.offer([{ ...order, refusals: order.refusals + 1 }])
        return error
      }
      if (!isSealError(error, 'SEAL_STOPPED')) observer.reencryptionFailed(order, error)
    }
    return null
  }
}
