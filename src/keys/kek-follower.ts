import type { Clock } from '../clock.ts'
import { isSealError, SealError } from '../errors.ts'
import { checkKek } from './check-kek.ts'
import {
  type ConfiguredKeks,
  type KekInForce,
  type KekOrder,
  type KekOrderLog,
  kekInForce,
  keksInForce,
  type RetiredKek,
  refuseRetired,
} from './kek-orders.ts'
import type { Kms } from './kms.ts'

/** What a follower of KEK orders is made of. */
export interface KekFollowerServices {
  readonly log: Pick<KekOrderLog, 'orders' | 'retired'>
  readonly kms: Pick<Kms, 'generateDataKey'>
  readonly clock: Clock
  readonly configured: ConfiguredKeks
  /** The key domain that takes the most room in object metadata. */
  readonly longestDomain: string
}

/** What became of the orders that were new. */
export interface NewOrders {
  /** In force from now on. */
  readonly taken: readonly KekOrder[]
  /** Not in force here, and why; they are tried again. */
  readonly refused: readonly { readonly order: KekOrder; readonly error: SealError }[]
}

/** A KEK that was refused is not asked for again at once. */
const REFUSED_PAUSE_MS = 5_000

/**
 * The KEKs of this process: those of its configuration, changed by the orders that it has taken over.
 *
 * An order is taken over once the KEKs that it brings wrap here; until then the process goes on as
 * before, since a mistaken order must not end sealing everywhere. A contained order is taken over at
 * once: then nothing is made under the KEK of before, and without the new one nothing at all. Orders
 * that stand at the start are no question: a process starts under them or not at all.
 */
export class KekFollower {
  readonly #services: KekFollowerServices
  #orders: readonly KekOrder[] = []
  #retired: readonly RetiredKek[] = []
  readonly #refusals = new Map<string, { readonly error: SealError; readonly untilMs: number }>()

  constructor(services: KekFollowerServices) {
    this.#services = services
  }

  /** The KEK under which the next DEK of the domain is made. */
  readonly kekOf = (keyDomain: string): string =>
    kekInForce(this.#services.configured, this.#orders, keyDomain).kekId

  /** The orders taken over so far, oldest first. */
  get orders(): readonly KekOrder[] {
    return this.#orders
  }

  /**
   * Takes over all orders there are, and sees that every KEK in force wraps. Call it before anything
   * else. Throws what `checkKek` does, naming the domain.
   */
  async start(): Promise<void> {
    const { log, configured } = this.#services
    const orders = await log.orders(0)
    this.#retired = await log.retired()
    const checked = new Set<string>()
    for (const [keyDomain, inForce] of keksInForce(configured, orders)) {
      if (checked.has(inForce.kekId)) continue
      checked.add(inForce.kekId)
      await this.#check(inForce.kekId).catch((error) => {
        throw naming(error, keyDomain, inForce)
      })
    }
    this.#orders = orders
  }

  /** Looks for new orders, and takes over those that can be. Errors: SEAL_MAPPING_*. */
  async look(): Promise<NewOrders> {
    const after = this.#orders.at(-1)?.sequence ?? 0
    const before = this.#orders
    const fresh = await this.#services.log.orders(after)
    if (fresh.length > 0) this.#retired = await this.#services.log.retired()
    const refused: { order: KekOrder; error: SealError }[] = []
    let taken = 0
    for (const [i, order] of fresh.entries()) {
      const orders = [...before, ...fresh.slice(0, i + 1)]
      const error = order.isContained ? null : await this.#refusalOf(orders)
      if (error !== null) {
        refused.push({ order, error })
        continue
      }
      this.#orders = orders
      taken = i + 1
    }
    return {
      taken: fresh.slice(0, taken),
      // One that a later order was taken over with is not open any more.
      refused: refused.filter(({ order }) => fresh.indexOf(order) >= taken),
    }
  }

  /** Why not all KEKs that these orders would bring wrap; null when they do. */
  async #refusalOf(orders: readonly KekOrder[]): Promise<SealError | null> {
    const { configured, clock } = this.#services
    const present = new Set(keksOf(configured, this.#orders))
    for (const kekId of keksOf(configured, orders)) {
      if (present.has(kekId)) continue
      const known = this.#refusals.get(kekId)
      if (known !== undefined && clock.elapsedMs() < known.untilMs) return known.error
      try {
        await this.#check(kekId)
        this.#refusals.delete(kekId)
      } catch (error) {
        if (!isSealError(error)) throw error
        const pauseMs = error.retryable ? 0 : REFUSED_PAUSE_MS
        this.#refusals.set(kekId, { error, untilMs: clock.elapsedMs() + pauseMs })
        return error
      }
    }
    return null
  }

  async #check(kekId: string): Promise<void> {
    refuseRetired(this.#retired, { kekId, kekVersion: null })
    const wraps = await checkKek(this.#services.kms, kekId, this.#services.longestDomain)
    refuseRetired(this.#retired, wraps)
  }
}

function keksOf(configured: ConfiguredKeks, orders: readonly KekOrder[]): string[] {
  return [...keksInForce(configured, orders).values()].map(({ kekId }) => kekId)
}

/** Whose KEK it is that does not wrap, and where that is said. */
function naming(error: unknown, keyDomain: string | null, { order }: KekInForce): unknown {
  if (!isSealError(error) || (keyDomain === null && order === null)) return error
  const whose = `the KEK of ${keyDomain ?? 'all key domains that nobody names'}`
  const where =
    order === null
      ? 'in keyDomain.keks'
      : `by KEK order ${order.sequence} (sealstream rotate status)`
  const { code, message, retryable } = error
  return new SealError(code, `${whose} ${where}: ${message}`, { retryable })
}
