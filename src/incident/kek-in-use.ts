import type { Clock } from '../clock.ts'
import { checkKek } from '../keys/check-kek.ts'
import { areSameKek } from '../keys/kek-name.ts'
import {
  type ConfiguredKeks,
  type KekOrder,
  type KekOrderLog,
  keksInForce,
} from '../keys/kek-orders.ts'
import { type KeyOffice, REQUEST_MS } from '../keys/key-desk.ts'
import type { Kms } from '../keys/kms.ts'
import { isUnder, type LeftKek } from '../keys/left-kek.ts'

/** Where it is asked whether new DEKs may come under a KEK. */
export interface KekUse {
  readonly office: Pick<KeyOffice, 'instances' | 'keysInUse' | 'answers'>
  readonly orders: Pick<KekOrderLog, 'orders'>
  readonly kms: Pick<Kms, 'generateDataKey'>
  readonly configured: ConfiguredKeks
  readonly longestDomain: string
  readonly clock: Pick<Clock, 'nowMs'>
}

/** A reason why something may come under a KEK yet. */
export interface KekUser {
  /** force: new DEKs are made under it; instance: an encryptor that holds one, or may do so. */
  readonly kind: 'force' | 'instance'
  /** The key domain (null: all that nobody names), or the id of the instance. */
  readonly name: string | null
  readonly reason: string
}

/**
 * Why new DEKs, or new segments under old ones, may come under the KEK (or that version of it): it is
 * in force for a key domain; an encryptor uses a DEK under it; one has not confirmed the last order;
 * one has fallen silent within a day and is not known to be `dead`. Empty when none may: an encryptor
 * takes over every order before it makes its first DEK. Asks the KMS for one data key where a version
 * is named whose KEK is in force. Throws SEAL_MAPPING_*, SEAL_KMS_*, SEAL_KEK_*.
 */
export async function usersOfKek(
  use: KekUse,
  kek: LeftKek,
  dead: ReadonlySet<string>,
): Promise<readonly KekUser[]> {
  const orders = await use.orders.orders(0)
  return [...(await inForce(use, orders, kek)), ...(await instances(use, orders, kek, dead))]
}

async function inForce(
  { configured, kms, longestDomain }: KekUse,
  orders: readonly KekOrder[],
  kek: LeftKek,
): Promise<KekUser[]> {
  const named = [...keksInForce(configured, orders)].filter(([, { kekId }]) =>
    areSameKek(kekId, kek.kekId),
  )
  const [first] = named
  if (first === undefined) return []
  if (kek.kekVersion !== null) {
    const now = await checkKek(kms, first[1].kekId, longestDomain)
    if (!isUnder(now, { kekId: now.kekId, kekVersion: kek.kekVersion })) return []
  }
  const reason = 'it is in force: new data keys are made under it; rotate the KEK first'
  return named.map(([name]) => ({ kind: 'force', name, reason }))
}

async function instances(
  { office, clock }: KekUse,
  orders: readonly KekOrder[],
  kek: LeftKek,
  dead: ReadonlySet<string>,
): Promise<KekUser[]> {
  const last = orders.at(-1)
  // Answers run out; so do the DEKs of before the order.
  const isFresh = last !== undefined && clock.nowMs() - last.placedAtMs < REQUEST_MS
  const answers = isFresh ? await office.answers(last.orderId) : []
  const users: KekUser[] = []
  for (const { instanceId: name, state, isSilent } of await office.instances()) {
    if (state !== 'running' || dead.has(name)) continue
    const answer = answers.find(({ instanceId }) => instanceId === name)
    const add = (reason: string) => users.push({ kind: 'instance', name, reason })
    if (isSilent) add('it has fallen silent and may hold data keys yet; if it has ended: --dead')
    else if (isFresh && (answer?.finishedAtMs ?? null) === null) {
      add(`it has not confirmed KEK order ${last.sequence}: ${answer?.refusal ?? 'wait for it'}`)
    }
  }
  for (const { instanceId: name, keys } of await office.keysInUse()) {
    const held = keys.filter((key) => isUnder(key, kek))
    for (const { dekId } of held) {
      const reason = `it seals under data key ${dekId}; end it (sealstream keys rotate-now)`
      users.push({ kind: 'instance', name, reason })
    }
  }
  return users
}
