import { randomUUID } from 'node:crypto'
import { isSealError, SealError } from '../errors.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import { type ObjectInventory, versionsOf } from '../segment/object-inventory.ts'
import type { ObjectStore } from '../segment/object-store.ts'

/** The sides of the bucket that is probed. */
export interface ProbedBucket {
  readonly store: ObjectStore
  readonly objects: Pick<ObjectReader, 'readEnd'>
  readonly inventory: Pick<ObjectInventory, 'objects' | 'remove'>
}

const NO_ETAG = '"00000000000000000000000000000000"'
const BODY = Buffer.from('sealstream looks whether objects are replaced under a condition\n')

/**
 * Finds out whether the store heeds the condition under which objects are replaced, both ways of
 * writing, and leaves nothing behind. Not every server does, and on one that does not a slow process
 * would put an old ciphertext over a newer one. Throws SEAL_STORE_REFUSED then, and SEAL_STORE_*.
 */
export async function probeReplacing(bucket: ProbedBucket, prefix: string): Promise<void> {
  const { store, objects, inventory } = bucket
  const key = `${prefix}/replace-check/${randomUUID()}`
  const write = (replaces?: string) => store.put(key, BODY, { 'ss-u': randomUUID() }, replaces)
  try {
    await write()
    const { etag } = await objects.readEnd(key, 1)
    await requireUnmet('PUT', () => write(NO_ETAG))
    await requireUnmet('CompleteMultipartUpload', () => complete(store, key, NO_ETAG))
    await write(etag)
  } finally {
    for (const version of await versionsOf(inventory, key)) await inventory.remove(version)
  }
}

async function requireUnmet(what: string, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (isSealError(error, 'SEAL_OBJECT_CHANGED')) return
    throw error
  }
  const message = `the object store does not heed If-Match on ${what}; re-encrypting there could bring old ciphertext back, so it is refused`
  throw new SealError('SEAL_STORE_REFUSED', message)
}

async function complete(store: ObjectStore, key: string, replaces: string): Promise<void> {
  const metadata = { 'ss-u': randomUUID() }
  const uploadId = await store.createUpload(key, metadata)
  try {
    const receipt = await store.uploadPart(key, uploadId, 1, BODY)
    const expected = { bytes: BODY.length, metadata }
    await store.completeUpload(key, uploadId, [receipt], expected, replaces)
  } finally {
    await store.abortUpload(key, uploadId)
  }
}
