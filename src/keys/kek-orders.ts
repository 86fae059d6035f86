import { SealError } from '../errors.ts'
import { areSameKek } from './kek-name.ts'

/** What an operator wants of KEKs from now on. */
export interface NewKekOrder {
  /** UUID in its text form. */
  readonly orderId: string
  /** By the operator's clock; for people, nothing is decided by it. */
  readonly placedAtMs: number
  readonly actor: string
  readonly reason: string
  /** The key domain that is meant; null means all. */
  readonly keyDomain: string | null
  /** Only domains that have this KEK when the order comes to them; null means whatever they have. */
  readonly fromKekId: string | null
  /** The KEK of new DEKs; null means the one of the configuration. */
  readonly toKekId: string | null
  /** Whether the KEK of before must not be used even where the new one does not wrap. */
  readonly isContained: boolean
}

/** An order as it stands. */
export interface KekOrder extends NewKekOrder {
  /** From 1 on; a later order has a greater one, whatever clocks say. */
  readonly sequence: number
}

/** A KEK, or one version of it, that is never to wrap a new DEK again. */
export interface RetiredKek {
  readonly kekId: string
  /** null for the KEK as a whole. */
  readonly kekVersion: string | null
  /** By the operator's clock; for people. */
  readonly atMs: number
  readonly actor: string
  readonly reason: string
}

/** Where KEK orders stand, for good. Append-only. Errors: SEAL_MAPPING_*. */
export interface KekOrderLog {
  /** The orders with a greater sequence than `after`, in their order. */
  orders(after: number): Promise<readonly KekOrder[]>
  /** Durable when it resolves. The same order (by its id) again changes nothing. */
  append(order: NewKekOrder): Promise<KekOrder>
  /** All KEKs that were retired. */
  retired(): Promise<readonly RetiredKek[]>
  /** Durable when it resolves. What is retired stays so, with the reason that was given first. */
  retire(kek: RetiredKek): Promise<void>
}

/** Throws SEAL_KEK_FORBIDDEN when a wrap as `kek` tells it would be one by a KEK that was retired. */
export function refuseRetired(
  retired: readonly RetiredKek[],
  { kekId, kekVersion }: { readonly kekId: string; readonly kekVersion: string | null },
): void {
  const found = retired.find(
    (one) =>
      areSameKek(one.kekId, kekId) && (one.kekVersion === null || one.kekVersion === kekVersion),
  )
  if (found === undefined) return
  const version = found.kekVersion === null ? '' : ` version ${found.kekVersion}`
  const message = `${found.kekId}${version} was retired (${found.reason}); name another KEK`
  throw new SealError('SEAL_KEK_FORBIDDEN', message)
}

/** The KEKs of a configuration. */
export interface ConfiguredKeks {
  /** Of every domain that has none of its own. */
  readonly keyId: string
  readonly byDomain: ReadonlyMap<string, string>
}

/** The KEK of a domain, and the order that says so; null where the configuration does. */
export interface KekInForce {
  readonly kekId: string
  readonly order: KekOrder | null
}

/**
 * The KEK under which new DEKs of `keyDomain` are made: what the configuration says, changed by every
 * order that means the domain, in their sequence. null asks for a domain that nobody names.
 */
export function kekInForce(
  configured: ConfiguredKeks,
  orders: readonly KekOrder[],
  keyDomain: string | null,
): KekInForce {
  const own = keyDomain === null ? undefined : configured.byDomain.get(keyDomain)
  const asConfigured: KekInForce = { kekId: own ?? configured.keyId, order: null }
  let inForce = asConfigured
  for (const order of orders) {
    if (order.keyDomain !== null && order.keyDomain !== keyDomain) continue
    if (order.fromKekId !== null && !areSameKek(order.fromKekId, inForce.kekId)) continue
    inForce = order.toKekId === null ? asConfigured : { kekId: order.toKekId, order }
  }
  return inForce
}

/** The KEKs in force of every domain that configuration or orders name, and under null of all others. */
export function keksInForce(
  configured: ConfiguredKeks,
  orders: readonly KekOrder[],
): ReadonlyMap<string | null, KekInForce> {
  const named = orders.map(({ keyDomain }) => keyDomain)
  const domains = new Set<string | null>([null, ...configured.byDomain.keys(), ...named])
  return new Map([...domains].map((domain) => [domain, kekInForce(configured, orders, domain)]))
}
