import { readVersion, type ScannedSegment, type ScannedStore } from '../incident/store-scan.ts'
import type { SegmentEntry } from '../mapping/mapping-store.ts'
import { versionsOf } from '../segment/object-inventory.ts'

/**
 * Whether an encryptor may still be at work on a segment: object and rows are written side by side, and
 * the totals after both, within a time that is known.
 */
export function isUnderWay(
  { version }: Pick<ScannedSegment, 'version'>,
  { state }: Pick<SegmentEntry, 'state'>,
  underWayMs: number,
  nowMs: number,
): boolean {
  return state === 'intended' && nowMs - version.modifiedAtMs < underWayMs
}

/**
 * Whether any version of its object holds the segment now. One that cannot be read may do so. Throws
 * SEAL_STORE_*.
 */
export async function isHeld(store: ScannedStore, entry: SegmentEntry): Promise<boolean> {
  for (const version of await versionsOf(store.inventory, entry.objectKey)) {
    if (version.isDeleteMarker) continue
    const found = await readVersion(store, version)
    if (found === null) continue
    if ('code' in found) return true
    if (found.dekId === entry.dekId && found.segmentId === entry.segmentId) return true
  }
  return false
}
