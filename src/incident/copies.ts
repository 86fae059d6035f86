import type { SegmentState } from '../mapping/mapping-store.ts'
import {
  type ObjectInventory,
  type OpenUpload,
  type StoredObject,
  versionsOf,
} from '../segment/object-inventory.ts'
import { segmentFolder } from '../segment/object-key.ts'
import { type ImpactReader, type ImpactScope, normalScope } from './impact-scope.ts'
import { readAhead } from './read-ahead.ts'
import { hasObject, type ScopedSegment, segmentsInScope } from './scoped-segments.ts'

/** A number of things in the bucket, and their bytes. */
export interface Stored {
  readonly count: number
  readonly bytes: number
}

/** What is really in the bucket of the segments in scope. */
export interface CopiesSummary {
  /** Objects as they are now, of segments that are published. */
  readonly current: Stored
  /** The same of segments that are not marked as published: orphans, unless the mark got lost. */
  readonly unpublished: Stored
  /** Versions that something else covers: the ciphertext is there all the same. */
  readonly noncurrent: Stored
  /** Segments whose object should be there, and is not. */
  readonly gone: number
  readonly openUploads: number
  /** Segments under another prefix than that of the configuration, for whose uploads nobody looked. */
  readonly elsewhere: number
}

/** What the latest version of the object of a segment is counted as. */
const LATEST_IS: Readonly<Record<SegmentState, 'current' | 'unpublished' | null>> = {
  intended: 'unpublished',
  sealed: 'unpublished',
  published: 'current',
  swept: 'unpublished',
  // It is the segment under its new DEK, and counted there where that is in scope.
  replaced: null,
  shredded: 'unpublished',
}

/** Listings under way at a time. */
const LISTINGS_AHEAD = { width: 16, held: 1 }

/**
 * Asks the bucket for every version of every object in scope. Changes nothing. `onSegment` hears how
 * it gets on. Errors: as impactOf, SEAL_STORE_UNAVAILABLE, SEAL_STORE_REFUSED.
 */
export async function copiesOf(
  reader: ImpactReader,
  inventory: Pick<ObjectInventory, 'objects' | 'uploads'>,
  scope: ImpactScope,
  prefix: string,
  onSegment: () => void,
): Promise<CopiesSummary> {
  const sum = {
    current: nothing(),
    unpublished: nothing(),
    noncurrent: nothing(),
    gone: 0,
    openUploads: 0,
    elsewhere: 0,
  }
  const folder = segmentFolder({ prefix })
  const uploads = await uploadsByKey(inventory, folder)
  const open = async function* ({ segment }: ScopedSegment) {
    yield { segment, versions: await versionsOf(inventory, segment.objectKey) }
  }
  const listed = readAhead(segmentsInScope(reader, normalScope(scope)), open, LISTINGS_AHEAD)
  for await (const { segment, versions } of listed) {
    const [current, noncurrent] = split(versions)
    for (const version of noncurrent) add(sum.noncurrent, version)
    const kind = LATEST_IS[segment.state]
    if (current !== null && kind !== null) add(sum[kind], current)
    if (current === null && hasObject(segment)) sum.gone++
    sum.openUploads += uploads.get(segment.objectKey)?.length ?? 0
    if (!segment.objectKey.startsWith(folder)) sum.elsewhere++
    onSegment()
  }
  return sum
}

/** The version that a reader gets, and all others; marks of deletion hold no ciphertext. */
function split(versions: readonly StoredObject[]): [StoredObject | null, readonly StoredObject[]] {
  const latest = versions.find(({ isCurrent }) => isCurrent) ?? null
  const current = latest?.isDeleteMarker === false ? latest : null
  return [current, versions.filter((one) => one !== current && !one.isDeleteMarker)]
}

async function uploadsByKey(
  inventory: Pick<ObjectInventory, 'uploads'>,
  folder: string,
): Promise<ReadonlyMap<string, readonly OpenUpload[]>> {
  const uploads = new Map<string, OpenUpload[]>()
  for await (const upload of inventory.uploads(folder)) {
    uploads.set(upload.key, [...(uploads.get(upload.key) ?? []), upload])
  }
  return uploads
}

function nothing(): { count: number; bytes: number } {
  return { count: 0, bytes: 0 }
}

function add(sum: { count: number; bytes: number }, { bytes }: StoredObject): void {
  sum.count += 1
  sum.bytes += bytes
}
