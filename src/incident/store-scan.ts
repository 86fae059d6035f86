import { type ErrorCode, isSealError, SealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import { decodeMetadata } from '../format/segment-metadata.ts'
import type { FrameColumns } from '../mapping/mapping-store.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import { inspectSegment, type SegmentInspection } from '../reader/segment-inspection.ts'
import type { ObjectInventory, StoredObject } from '../segment/object-inventory.ts'
import { segmentFolder } from '../segment/object-key.ts'

/** The bucket that is scanned. */
export interface ScannedStore {
  readonly inventory: Pick<ObjectInventory, 'objects'>
  readonly objects: ObjectReader
}

/** What is scanned, and who hears of it. */
export interface ScanScope {
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
  /** Only keys that begin with this, below the folder of segments; all of it without. */
  readonly under?: string
  readonly signal: AbortSignal
  /** Hears of every version that was dealt with, and how many messages it brought. */
  readonly onScanned: (messages: number) => void
}

/** What one version of a segment object says of itself. No key was used: it is not proven. */
export interface ScannedSegment {
  readonly version: StoredObject
  readonly dekId: string
  readonly segmentId: string
  readonly generation: number
  /** A whole minute. */
  readonly createdAtMs: number
  readonly keyDomain: string
  /** Of its metadata, as the DEK is wrapped there. */
  readonly kekId: string
  readonly wrapped: Uint8Array
  /** Of the whole object. */
  readonly bytes: number
  readonly frames: FrameColumns
}

/** One version that is there, and cannot be read as a segment. */
export interface UnreadVersion {
  readonly version: StoredObject
  readonly code: ErrorCode
  readonly reason: string
  /** What its metadata claims; null where that cannot be read either. */
  readonly dekId: string | null
}

/** Deals with what a scan finds; several calls run at a time, and the scan waits for them. */
export interface ScanVisitor {
  segment(found: ScannedSegment): Promise<void>
  unread(found: UnreadVersion): Promise<void> | void
}

/** What a scan went through. */
export interface ScanTotals {
  /** Versions of segment objects, marks of deletion left out. */
  readonly versions: number
  readonly messages: number
  readonly unread: number
  /** Versions that somebody removed between their listing and their reading. */
  readonly gone: number
}

/**
 * Versions that are read and dealt with at a time. One holds its footer and the columns of it: 60 MB
 * for the largest segment that there can be, some kilobytes for most.
 */
const VERSIONS_AT_ONCE = 6
const TRIES_MAX = 3

/** What speaks of the object rather than of the store. */
const UNREADABLE = [
  'SEAL_MALFORMED',
  'SEAL_SUITE_UNKNOWN',
  'SEAL_CONTEXT_MISMATCH',
  'SEAL_OBJECT_CHANGED',
] as const

/** How many versions a scan would read. Throws SEAL_STORE_* and SEAL_STOPPED. */
export async function countVersions(store: ScannedStore, scope: ScanScope): Promise<number> {
  let count = 0
  for await (const _version of versionsIn(store, scope)) count++
  return count
}

/**
 * Reads header, metadata and index of every version of every segment object under the prefix, older
 * versions and those below a mark of deletion too, a few at a time. Needs no key and no index. Throws
 * what `visitor` throws, SEAL_STORE_*, and SEAL_STOPPED when the signal aborts.
 */
export async function scanStore(
  store: ScannedStore,
  scope: ScanScope,
  visitor: ScanVisitor,
): Promise<ScanTotals> {
  const totals = { versions: 0, messages: 0, unread: 0, gone: 0 }
  await forEachOf(versionsIn(store, scope), VERSIONS_AT_ONCE, async (version) => {
    const found = await readVersion(store, version)
    let messages = 0
    if (found === null) totals.gone++
    else if ('code' in found) {
      totals.unread++
      await visitor.unread(found)
    } else {
      messages = found.frames.count
      await visitor.segment(found)
    }
    totals.versions++
    totals.messages += messages
    scope.onScanned(messages)
  })
  return totals
}

async function* versionsIn(
  { inventory }: ScannedStore,
  { prefix, under, signal }: ScanScope,
): AsyncGenerator<StoredObject> {
  for await (const version of inventory.objects(under ?? segmentFolder({ prefix }))) {
    if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the scan was stopped')
    if (!version.isDeleteMarker) yield version
  }
}

/**
 * What one version says; null when it is gone. In a bucket without versions an object may be replaced
 * while it is read, which is tried again. Throws SEAL_STORE_*.
 */
export async function readVersion(
  { objects }: Pick<ScannedStore, 'objects'>,
  version: StoredObject,
): Promise<ScannedSegment | UnreadVersion | null> {
  for (let tries = 1; ; tries++) {
    try {
      return scanned(version, await inspectSegment(objects, version.key, version.versionId))
    } catch (error) {
      if (isSealError(error, 'SEAL_OBJECT_MISSING')) return null
      if (!isSealError(error, ...UNREADABLE)) throw error
      if (error.code === 'SEAL_OBJECT_CHANGED' && tries < TRIES_MAX) continue
      const dekId = await claimedDek(objects, version)
      return { version, code: error.code, reason: error.message, dekId }
    }
  }
}

function scanned(version: StoredObject, inspection: SegmentInspection): ScannedSegment {
  const { metadata, footer, objectBytes } = inspection
  const { dekId, segmentId, generation, createdAtMs } = metadata.header
  const { keyDomain, kekId, wrapped } = metadata
  const { count, source, offset, position, length } = footer.index
  const sources = footer.sources.map(({ topic, partition }) => ({ topic, partition }))
  return {
    ...{ version, dekId, segmentId, generation, createdAtMs, keyDomain, kekId, wrapped },
    bytes: objectBytes,
    frames: { count, sources, source, offset, position, length },
  }
}

/** Whose key a damaged object is under, so that it stands in doubt for that key alone. */
async function claimedDek(
  objects: ScannedStore['objects'],
  { key, versionId }: StoredObject,
): Promise<string | null> {
  try {
    return decodeMetadata((await objects.readEnd(key, 1, versionId)).metadata).header.dekId
  } catch (error) {
    if (isSealError(error, 'SEAL_OBJECT_MISSING', ...UNREADABLE)) return null
    throw error
  }
}
