import { createHash } from 'node:crypto'
import { isSealError, SealError } from '../errors.ts'
import {
  DIRECTORY_ENTRY_BYTES_MAX,
  decodeDirectoryEntry,
  encodeDirectoryEntry,
  type KeyDirectory,
  type WritableKeyDirectory,
} from '../keys/key-directory.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import { dekObjectKey, type ObjectNames } from '../segment/object-key.ts'
import type { ObjectStore } from '../segment/object-store.ts'

/** The key directory under a prefix of a bucket. The reader of the bucket stays the caller's to close. */
export function keyDirectoryOf(
  objects: Pick<ObjectReader, 'readEnd'>,
  names: ObjectNames,
): KeyDirectory {
  return {
    async find(dekId) {
      const key = dekObjectKey(names, dekId)
      try {
        const { bytes, etag } = await objects.readEnd(key, DIRECTORY_ENTRY_BYTES_MAX)
        return { dek: decodeDirectoryEntry(bytes), revision: etag }
      } catch (error) {
        if (isSealError(error, 'SEAL_OBJECT_MISSING')) return null
        if (!isSealError(error, 'SEAL_MALFORMED')) throw error
        throw new SealError('SEAL_MALFORMED', `${key}: ${error.message}`)
      }
    },
  }
}

/** The same for those who write to it. Reader and store stay the caller's to close. */
export function writableKeyDirectoryOf(
  objects: Pick<ObjectReader, 'readEnd'>,
  store: Pick<ObjectStore, 'put'>,
  names: ObjectNames,
): WritableKeyDirectory {
  const directory = keyDirectoryOf(objects, names)
  const replace: WritableKeyDirectory['replace'] = async (dek, revision) => {
    const entry = encodeDirectoryEntry(dek)
    // The token of this very content, so that a writing whose answer got lost knows itself again.
    const token = createHash('sha256').update(entry).digest('base64url')
    await store.put(dekObjectKey(names, dek.dekId), entry, { 'ss-u': token }, revision ?? undefined)
  }
  return {
    ...directory,
    replace,
    async record(dek) {
      try {
        await replace(dek, null)
      } catch (error) {
        const isTaken = isSealError(error, 'SEAL_OBJECT_CHANGED', 'SEAL_STORE_REFUSED')
        if (!isTaken || (await directory.find(dek.dekId)) === null) throw error
      }
    },
  }
}
