import { SealError } from '../errors.ts'
import { checkedOrder, type KekOrderServices, placingOf } from '../keys/give-kek-order.ts'
import { areSameKek } from '../keys/kek-name.ts'
import { keksInForce, type NewKekOrder } from '../keys/kek-orders.ts'
import { keysInScope, versionsInUse, versionsNow } from '../keys/kek-versions.ts'
import type { KeyRequest } from '../keys/key-desk.ts'
import { isUnder } from '../keys/left-kek.ts'
import {
  lastUseOf,
  type RotationReport,
  type RotationServices,
  rotateEverywhere,
  unconfirmed,
} from '../keys/rotation.ts'
import { type Declaration, kekNameOf, leftKekOf } from './incident.ts'
import { NAMES_MAX, type StepControl, type StepEnding } from './step-work.ts'

/** Instances tell of a DEK within this time after they made it. */
const LOOK_MS = 10_000

/**
 * Has every instance end its windows and make new DEKs under the new KEK, or the new version of it,
 * and refuse the old one. The same order or request each time, so that it may be repeated. Done when
 * every instance has confirmed, and nothing that is in use or in force is the old key. Throws
 * SEAL_KEK_FORBIDDEN when the new key is the one that is to be left, SEAL_KMS_*, SEAL_MAPPING_*.
 */
export async function contain(
  services: KekOrderServices,
  declaration: Declaration,
  control: StepControl,
): Promise<StepEnding> {
  const { office, orders, clock } = services
  const placing =
    declaration.newKekId === null
      ? { services: { office, clock }, request: await versionRequest(services, declaration) }
      : placingOf({ office, orders, clock }, await orderOf(services, declaration))
  const report = await askAll(placing, control)
  const open = unconfirmed(report)
  const details = {
    instances: report.instances.length,
    unconfirmed: open.slice(0, NAMES_MAX).map((one) => `${one.instanceId} (${one.standing})`),
    oldKeyLastUsedAtMs: lastUseOf(report),
  }
  if (control.signal.aborted) return { kind: 'stopped', details }
  if (open.length > 0) {
    const reason = `${open.length} of ${report.instances.length} instances did not confirm: ${details.unconfirmed.join(', ')}; name those whose process has ended with --dead`
    return { kind: 'unanswered', reason, details }
  }
  const stale = await staleKeys(services, declaration, control.signal)
  if (stale.length === 0) return { kind: 'done', details }
  const reason = `still under ${kekNameOf(declaration)}: ${stale.slice(0, NAMES_MAX).join(', ')}`
  return { kind: 'unanswered', reason, details: { ...details, stale: stale.slice(0, NAMES_MAX) } }
}

function askAll(
  { services, request }: { readonly services: RotationServices; readonly request: KeyRequest },
  { pace, signal, dead, listener }: StepControl,
): Promise<RotationReport> {
  return rotateEverywhere(services, request, {
    ...{ timeoutMs: pace.answerWithinMs, signal, dead },
    onChange: (report) => listener.instance(report),
  })
}

/** The order of this incident: as it stands, or checked and about to. */
async function orderOf(services: KekOrderServices, declaration: Declaration): Promise<NewKekOrder> {
  const { orderId, keyDomain, kekId, newKekId, actor, reason, incidentId } = declaration
  const standing = (await services.orders.orders(0)).find((order) => order.orderId === orderId)
  if (standing !== undefined) return standing
  return checkedOrder(services, {
    ...{ orderId, keyDomain, fromKekId: kekId, toKekId: newKekId, actor },
    ...{ placedAtMs: services.clock.nowMs(), isContained: true },
    reason: `incident ${incidentId}: ${reason}`,
  })
}

async function versionRequest(
  services: KekOrderServices,
  declaration: Declaration,
): Promise<KeyRequest> {
  const { orderId: requestId, keyDomain, actor, reason, incidentId } = declaration
  const left = leftKekOf(declaration)
  const now = await versionsNow(services, keyDomain)
  const still = now.find((wraps) => isUnder(wraps, left))
  if (still !== undefined) {
    const message = `the KMS still wraps with ${kekNameOf(still)}; make a new version of it there first, or name another KEK`
    throw new SealError('SEAL_KEK_FORBIDDEN', message)
  }
  return {
    ...{ requestId, askedAtMs: services.clock.nowMs(), actor },
    ...{ reason: `incident ${incidentId}: ${reason}`, scope: { dekId: null, keyDomain } },
  }
}

/** What of the old key is in force or in use yet, in words. */
async function staleKeys(
  services: KekOrderServices,
  declaration: Declaration,
  signal: AbortSignal,
): Promise<string[]> {
  const { office, orders, configured } = services
  const { kekId, keyDomain, newKekId } = declaration
  const left = leftKekOf(declaration)
  const isMeant = (domain: string | null) => keyDomain === null || keyDomain === domain
  if (newKekId === null) {
    const now = await versionsNow(services, keyDomain)
    const { stale } = await versionsInUse(services, keyDomain, now, { withinMs: LOOK_MS, signal })
    return stale.map(({ instanceId, key }) => `DEK ${key.dekId} of ${instanceId}`)
  }
  const inForce = [...keksInForce(configured, await orders.orders(0))]
    .filter(([domain, force]) => isMeant(domain) && areSameKek(force.kekId, kekId))
    .map(([domain]) => `key domain ${domain ?? 'that nobody names'}`)
  const inUse = keysInScope(await office.keysInUse(), keyDomain).flatMap(({ instanceId, keys }) =>
    keys.filter((key) => isUnder(key, left)).map((key) => `DEK ${key.dekId} of ${instanceId}`),
  )
  return [...inForce, ...inUse]
}
