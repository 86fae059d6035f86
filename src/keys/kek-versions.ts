import type { Clock } from '../clock.ts'
import { checkKek } from './check-kek.ts'
import type { KekOrderServices } from './give-kek-order.ts'
import { areSameKek } from './kek-name.ts'
import { keksInForce } from './kek-orders.ts'
import type { InstanceKeys, KeyOffice } from './key-desk.ts'
import type { KeyInUse } from './running-keys.ts'

/** A KEK and the version that it wraps with now; null where the KMS tells none. */
export interface KekVersion {
  readonly kekId: string
  readonly kekVersion: string | null
}

/** What instances use after their windows were ended for a new version of a KEK. */
export interface VersionReport {
  /** DEKs in use under the version that the KMS wraps with now. */
  readonly renewed: number
  /** DEKs in use under another version, by instance. */
  readonly stale: readonly { readonly instanceId: string; readonly key: KeyInUse }[]
  /** Instances that have made no DEK since. */
  readonly unused: readonly string[]
}

const LOOK_EVERY_MS = 500

/** The KEKs in force of a key domain, or of all (null), and what they wrap with now. Throws what the KMS says. */
export async function versionsNow(
  {
    orders,
    configured,
    kms,
    longestDomain,
  }: Pick<KekOrderServices, 'orders' | 'configured' | 'kms' | 'longestDomain'>,
  keyDomain: string | null,
): Promise<KekVersion[]> {
  const inForce = keksInForce(configured, await orders.orders(0))
  const own = keyDomain === null ? undefined : (inForce.get(keyDomain) ?? inForce.get(null))
  const meant = own === undefined ? [...inForce.values()] : [own]
  const versions: KekVersion[] = []
  for (const kekId of new Set(meant.map((one) => one.kekId))) {
    versions.push(await checkKek(kms, kekId, longestDomain))
  }
  return versions
}

/** The DEKs in use of a key domain, or of all (null), by instance. */
export function keysInScope(
  instances: readonly InstanceKeys[],
  keyDomain: string | null,
): { instanceId: string; keys: readonly KeyInUse[] }[] {
  return instances
    .filter(({ state }) => state === 'running')
    .map(({ instanceId, keys }) => ({
      instanceId,
      keys: keys.filter((key) => keyDomain === null || key.keyDomain === keyDomain),
    }))
}

/** Whether the DEK is under this KEK, but not under this version of it. */
export function isStale(key: KeyInUse, now: readonly KekVersion[]): boolean {
  const kek = now.find(({ kekId }) => areSameKek(kekId, key.kekId))
  return kek !== undefined && kek.kekVersion !== null && kek.kekVersion !== key.kekVersion
}

/**
 * Looks at what instances use until each has made a DEK since, at most for `withinMs`: one makes it
 * with its next message, and some have none. Errors: SEAL_MAPPING_*.
 */
export async function versionsInUse(
  { office, clock }: { readonly office: Pick<KeyOffice, 'keysInUse'>; readonly clock: Clock },
  keyDomain: string | null,
  now: readonly KekVersion[],
  { withinMs, signal }: { readonly withinMs: number; readonly signal: AbortSignal },
): Promise<VersionReport> {
  const endMs = clock.elapsedMs() + withinMs
  for (;;) {
    const found = keysInScope(await office.keysInUse(), keyDomain)
    const keys = found.flatMap(({ instanceId, keys }) => keys.map((key) => ({ instanceId, key })))
    const stale = keys.filter(({ key }) => isStale(key, now))
    const unused = found.filter((one) => one.keys.length === 0).map((one) => one.instanceId)
    const isOver = signal.aborted || clock.elapsedMs() >= endMs
    if (isOver || (unused.length === 0 && stale.length === 0)) {
      return { renewed: keys.length - stale.length, stale, unused }
    }
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}
