import { type CipherEngine, nodeEngine } from '../../src/crypto/cipher-engine.ts'
import type { Message } from '../../src/format/message.ts'
import { DekCache } from '../../src/keys/dek-cache.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import { inspectSegment } from '../../src/reader/segment-inspection.ts'
import { verifySegment } from '../../src/reader/segment-verification.ts'
import { emptyDirectory } from '../support/empty-directory.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { VectorKms, type VectorPlace } from './vector-files.ts'

/** Reads one message by its reference, with the product's reader. */
export async function readByReference(
  place: VectorPlace,
  reference: string,
  engine: CipherEngine = nodeEngine,
): Promise<Message> {
  const objects = await storeOf(place)
  const services = {
    ...{
      objects,
      kms: new VectorKms(place.kms),
      directory: emptyDirectory,
      clock: new ManualClock(),
    },
    selectEngine: async () => engine,
  }
  const reader = new SealedReader(services, keyOptions(place))
  try {
    return await reader.openReference(reference)
  } finally {
    await reader.close()
  }
}

/** What a scan without keys does. */
export async function inspectWhole(place: VectorPlace): Promise<void> {
  await inspectSegment(await storeOf(place), place.objectKey)
}

/** Verifies the whole object and returns the number of its frames. */
export async function verifyWhole(
  place: VectorPlace,
  engine: CipherEngine = nodeEngine,
): Promise<number> {
  const objects = await storeOf(place)
  const keys = new DekCache(
    { kms: new VectorKms(place.kms), directory: emptyDirectory },
    new ManualClock(),
    keyOptions(place),
  )
  try {
    const inspection = await inspectSegment(objects, place.objectKey)
    return await verifySegment(inspection, { objects, keys, engine, onFrames: () => {} })
  } finally {
    keys.close()
  }
}

async function storeOf({ objectKey, metadata, object }: VectorPlace): Promise<MemoryObjectStore> {
  const store = new MemoryObjectStore()
  await store.put(objectKey, Buffer.from(object, 'hex'), metadata)
  return store
}

function keyOptions({ allowedKekIds }: VectorPlace) {
  return { allowedKekIds, entriesMax: 4, ttlMs: 1_000 }
}
