import { isSealError, SealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import { DIRECTORY_ENTRY_BYTES_MAX, decodeDirectoryEntry } from '../keys/key-directory.ts'
import type { DekRecord } from '../keys/key-store.ts'
import { dekFolder, dekObjectKey } from '../segment/object-key.ts'
import type { ScannedStore } from './store-scan.ts'

/** Where the key directory stands in the bucket. */
export interface DirectoryScope {
  readonly prefix: string
  readonly signal: AbortSignal
}

const ENTRIES_AT_ONCE = 8

/**
 * Reads every entry of the key directory as it is now; several calls of `take` run at a time. Throws what `take` throws, SEAL_STORE_* and
 * SEAL_STOPPED.
 */
export async function readDirectory(
  store: ScannedStore,
  scope: DirectoryScope,
  take: (record: DekRecord) => Promise<void> | void,
  onUnread: (key: string, reason: string) => void = () => {},
): Promise<void> {
  await forEachOf(directoryKeys(store, scope), ENTRIES_AT_ONCE, async (key) => {
    const found = await readEntry(store, scope, key)
    if (typeof found === 'string') onUnread(key, found)
    else if (found !== null) await take(found)
  })
}

/** One entry; null when it is not there, and the reason when it cannot be read. Throws SEAL_STORE_*. */
export async function readEntry(
  { objects }: ScannedStore,
  { prefix }: Pick<DirectoryScope, 'prefix'>,
  key: string,
): Promise<DekRecord | string | null> {
  try {
    const record = decodeDirectoryEntry(
      (await objects.readEnd(key, DIRECTORY_ENTRY_BYTES_MAX)).bytes,
    )
    const isInPlace = key === dekObjectKey({ prefix }, record.dekId)
    return isInPlace ? record : `it is the entry of DEK ${record.dekId}`
  } catch (error) {
    if (isSealError(error, 'SEAL_OBJECT_MISSING')) return null
    if (isSealError(error, 'SEAL_MALFORMED')) return error.message
    throw error
  }
}

/** Every key once, in whatever order its versions are listed. */
async function* directoryKeys(
  { inventory }: ScannedStore,
  { prefix, signal }: DirectoryScope,
): AsyncGenerator<string> {
  const seen = new Set<string>()
  for await (const { key } of inventory.objects(dekFolder({ prefix }))) {
    if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the reading was stopped')
    if (seen.has(key)) continue
    seen.add(key)
    yield key
  }
}
