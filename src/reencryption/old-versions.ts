import { isSealError } from '../errors.ts'
import { type ObjectInventory, versionsOf } from '../segment/object-inventory.ts'

/**
 * Removes every version of an object but the one that readers get, for good. Returns until when the
 * store keeps one of them in spite of that; null when none is left, Infinity under a legal hold.
 * Throws SEAL_STORE_REFUSED when the rights are missing, and SEAL_STORE_UNAVAILABLE.
 */
export async function removeOldVersions(
  inventory: Pick<ObjectInventory, 'objects' | 'remove' | 'retainedUntilMs'>,
  objectKey: string,
): Promise<number | null> {
  let retainedUntilMs: number | null = null
  for (const version of await versionsOf(inventory, objectKey)) {
    if (version.isCurrent) continue
    try {
      await inventory.remove(version)
    } catch (error) {
      if (!isSealError(error, 'SEAL_STORE_REFUSED')) throw error
      const untilMs = await inventory.retainedUntilMs(version)
      if (untilMs === null) throw error
      retainedUntilMs = Math.max(retainedUntilMs ?? 0, untilMs)
    }
  }
  return retainedUntilMs
}
