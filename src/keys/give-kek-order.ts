import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import { checkKek } from './check-kek.ts'
import { areSameKek } from './kek-name.ts'
import {
  type ConfiguredKeks,
  type KekInForce,
  type KekOrderLog,
  keksInForce,
  type NewKekOrder,
  refuseRetired,
} from './kek-orders.ts'
import type { KeyOffice, KeyRequest } from './key-desk.ts'
import type { Kms } from './kms.ts'
import type { RotationServices } from './rotation.ts'

/** What it takes to give an order. */
export interface KekOrderServices {
  readonly office: KeyOffice
  readonly orders: KekOrderLog
  readonly kms: Pick<Kms, 'generateDataKey'>
  readonly clock: Clock
  readonly configured: ConfiguredKeks
  readonly longestDomain: string
  /** Whether domains with KEKs of their own may come to share one. */
  readonly areSharedKeksAllowed: boolean
}

/**
 * The order with the name of its KEK in full, once that has wrapped: a bad one must not come to any
 * instance. Throws SEAL_KEK_FORBIDDEN for a KEK that was retired, SEAL_INPUT_INVALID when domains
 * would come to share a KEK, and what the KMS says.
 */
export async function checkedOrder(
  services: KekOrderServices,
  asked: NewKekOrder,
): Promise<NewKekOrder> {
  const { orders, configured, areSharedKeksAllowed } = services
  const order = { ...asked, toKekId: await checkedKek(services, asked.toKekId) }
  if (areSharedKeksAllowed || configured.byDomain.size === 0) return order
  const before = await orders.orders(0)
  const wanted = [...before, { ...order, sequence: (before.at(-1)?.sequence ?? 0) + 1 }]
  refuseSharing(keksInForce(configured, before), keksInForce(configured, wanted))
  return order
}

/** null stands for the KEKs of the configuration, which must wrap as well. */
async function checkedKek(
  { kms, orders, longestDomain, configured }: KekOrderServices,
  toKekId: string | null,
): Promise<string | null> {
  const retired = await orders.retired()
  const check = async (kekId: string) => {
    refuseRetired(retired, { kekId, kekVersion: null })
    const wraps = await checkKek(kms, kekId, longestDomain)
    refuseRetired(retired, wraps)
    return wraps.kekId
  }
  if (toKekId !== null) return check(toKekId)
  for (const kekId of new Set([configured.keyId, ...configured.byDomain.values()])) {
    await check(kekId)
  }
  return null
}

/** The order as a request that {@link rotateEverywhere} places and waits for. */
export function placingOf(
  { office, orders, clock }: Pick<KekOrderServices, 'office' | 'orders' | 'clock'>,
  order: NewKekOrder,
): { readonly services: RotationServices; readonly request: KeyRequest } {
  const placing = {
    instances: () => office.instances(),
    answers: (requestId: string) => office.answers(requestId),
    place: async () => void (await orders.append(order)),
  }
  const { orderId: requestId, placedAtMs: askedAtMs, actor, reason, keyDomain } = order
  const request = { requestId, askedAtMs, actor, reason, scope: { dekId: null, keyDomain } }
  return { services: { office: placing, clock }, request }
}

type InForce = ReadonlyMap<string | null, KekInForce>

/**
 * Throws SEAL_INPUT_INVALID when domains with KEKs of their own, or one of them and all others, would
 * come to share a KEK: keyDomain.allowSharedKeks is false.
 */
export function refuseSharing(before: InForce, after: InForce): void {
  const shared = sharersOf(after)
  const known = new Set(sharersOf(before).map(({ domains }) => domains.join('\n')))
  const [first] = shared.filter(({ domains }) => !known.has(domains.join('\n')))
  if (first === undefined) return
  throw new SealError(
    'SEAL_INPUT_INVALID',
    `${first.domains.join(' and ')} would share ${first.kekId}, and keyDomain.allowSharedKeks is false; take --from or --domain`,
  )
}

/** The KEKs that several domains have, with their domains. */
function sharersOf(inForce: InForce): { kekId: string; domains: readonly string[] }[] {
  const found: { kekId: string; domains: string[] }[] = []
  for (const [domain, { kekId }] of inForce) {
    const name = domain ?? 'all other key domains'
    const known = found.find((one) => areSameKek(one.kekId, kekId))
    if (known === undefined) found.push({ kekId, domains: [name] })
    else known.domains.push(name)
  }
  return found.filter(({ domains }) => domains.length > 1)
}
