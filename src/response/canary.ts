import { SealError } from '../errors.ts'
import type { Message, MessageCoordinates } from '../format/message.ts'
import type { Reference } from '../format/reference-value.ts'
import { areSameKek } from '../keys/kek-name.ts'
import {
  type ConfiguredKeks,
  type KekOrderLog,
  kekInForce,
  keksInForce,
} from '../keys/kek-orders.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'

/** The canary topic, from the side of those who produce and consume. Errors: SEAL_KAFKA_* and those of a reader. */
export interface CanaryTopic {
  /** Appends one message for each value; tells where they came to stand. */
  produce(values: readonly Uint8Array[]): Promise<readonly MessageCoordinates[]>
  /** The published references of the messages, in their order; waits for them until the signal aborts. */
  references(
    messages: readonly MessageCoordinates[],
    signal: AbortSignal,
  ): Promise<readonly Reference[]>
  /** Opens references with these KEKs allowed and no key kept from before. Rejects when one fails. */
  open(references: readonly Reference[], kekIds: readonly string[]): Promise<readonly Message[]>
  /** Those of the objects whose own wrap this KEK opens, asked without any allow-list. */
  openedBy(objects: readonly string[], kekId: string): Promise<readonly string[]>
}

/** What tells whose a KEK is. */
export interface CanaryPorts {
  readonly orders: Pick<KekOrderLog, 'orders'>
  readonly configured: ConfiguredKeks
  readonly mapping: Pick<MappingReader, 'deksOfKek'>
}

/** The canary: its key domain, and the KEKs that it goes round. */
export interface Canary {
  readonly keyDomain: string
  readonly keks: readonly string[]
}

/**
 * Throws SEAL_INPUT_INVALID when a KEK of the canary is in force for another key domain, or ever
 * wrapped a DEK of one: a drill would move that as well.
 */
export async function refuseSharedCanary(
  { orders, configured, mapping }: CanaryPorts,
  { keyDomain, keks }: Canary,
): Promise<void> {
  const inForce = keksInForce(configured, await orders.orders(0))
  for (const kekId of keks) {
    for (const [domain, force] of inForce) {
      if (domain === keyDomain || !areSameKek(force.kekId, kekId)) continue
      throw shared(kekId, `is in force for ${domain ?? 'key domains that nobody names'}`)
    }
    for await (const dek of mapping.deksOfKek(kekId)) {
      if (dek.keyDomain === keyDomain) continue
      throw shared(kekId, `has wrapped DEK ${dek.dekId} of key domain ${dek.keyDomain}`)
    }
  }
}

/** The KEK of the canary that is in force, and the one that comes after it. Throws SEAL_INPUT_INVALID. */
export async function canaryKeks(
  { orders, configured }: CanaryPorts,
  { keyDomain, keks }: Canary,
): Promise<{ readonly from: string; readonly to: string }> {
  const { kekId: from } = kekInForce(configured, await orders.orders(0), keyDomain)
  const at = keks.findIndex((kekId) => areSameKek(kekId, from))
  if (at < 0) {
    const message = `the KEK in force for ${keyDomain} is ${from}, which is none of drill.keks`
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  return { from, to: keks[(at + 1) % keks.length] as string }
}

function shared(kekId: string, what: string): SealError {
  const message = `drill.keks: ${kekId} ${what}; a canary needs KEKs of its own`
  return new SealError('SEAL_INPUT_INVALID', message)
}
