import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import { metadataBytesFor } from '../format/segment-metadata.ts'
import { METADATA_BYTES_MAX, WRAPPED_DEK_BYTES_MAX } from '../limits.ts'
import { Dek } from './dek.ts'
import type { KeyEvent, KeyEventLog } from './key-events.ts'
import type { DekRecord, KeyStore } from './key-store.ts'
import type { GeneratedDataKey, Kms } from './kms.ts'
import { kmsContextOf } from './kms-context.ts'

/** What it takes to make a DEK. */
export interface DekMaker {
  readonly kms: Pick<Kms, 'generateDataKey'>
  readonly keyStore: KeyStore
  readonly events: Pick<KeyEventLog, 'append'>
  /** Who makes it, as its events tell. */
  readonly actor: string
  /** The KEK of a key domain. It may change at any time. */
  readonly kekOf: (keyDomain: string) => string
  readonly clock: Clock
}

/**
 * Makes a DEK for `keyDomain`. When it resolves, the wrapped key is durable in the key store, so
 * that nothing can ever be sealed under a key that is lost with this process, and so are the events
 * of its making. The caller holds the first share of the DEK. Throws SEAL_KMS_*, SEAL_KEK_*, SEAL_MAPPING_* and SEAL_STORE_*.
 */
export async function createDek(maker: DekMaker, keyDomain: string): Promise<Dek> {
  const dekId = randomUUID()
  const made = await generateDataKey(maker, dekId, keyDomain)
  const { kekId, kekVersion, wrapped } = made
  const record = { dekId, keyDomain, kekId, kekVersion, wrapped, createdAtMs: maker.clock.nowMs() }
  const dek = new Dek(record, made.plaintext)
  try {
    refuseOversized(made, keyDomain)
    await Promise.all([
      maker.keyStore.recordDek(record),
      maker.events.append(eventsOfMaking(record, maker.actor)),
    ])
    return dek
  } catch (error) {
    dek.release()
    throw error
  }
}

/**
 * A data key under the KEK that the domain has when the KMS has answered: one that an order came
 * upon meanwhile is thrown away before anybody knows of it.
 */
async function generateDataKey(
  { kms, kekOf }: DekMaker,
  dekId: string,
  keyDomain: string,
): Promise<GeneratedDataKey> {
  for (;;) {
    const kekId = kekOf(keyDomain)
    const made = await kms.generateDataKey(kekId, kmsContextOf(dekId, keyDomain))
    if (kekOf(keyDomain) === kekId) return made
    made.plaintext.fill(0)
  }
}

function eventsOfMaking(record: DekRecord, actor: string): KeyEvent[] {
  const { dekId, keyDomain, kekId, kekVersion, createdAtMs: atMs } = record
  const reason = `for key domain ${keyDomain}`
  const made = { dekId, atMs, actor, reason }
  return [
    { ...made, kind: 'created', kekId: null, kekVersion: null },
    { ...made, kind: 'wrapped', kekId, kekVersion },
  ]
}

/** Throws SEAL_KMS_REFUSED when the wrapped key would not fit into the metadata of its segments. */
export function refuseOversized(made: GeneratedDataKey, keyDomain: string): void {
  const { wrapped, kekId } = made
  if (wrapped.length > WRAPPED_DEK_BYTES_MAX) {
    throw new SealError(
      'SEAL_KMS_REFUSED',
      `the KMS wraps data keys into ${wrapped.length} bytes; object metadata holds ${WRAPPED_DEK_BYTES_MAX}`,
    )
  }
  const bytes = metadataBytesFor({ wrapped, kekId, keyDomain })
  if (bytes <= METADATA_BYTES_MAX) return
  throw new SealError(
    'SEAL_KMS_REFUSED',
    `a wrapped data key of ${wrapped.length} bytes with a KEK name of ${kekId.length} makes object metadata of ${bytes} bytes; S3 takes ${METADATA_BYTES_MAX}, give the KEK a shorter name`,
  )
}
