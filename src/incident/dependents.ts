import { isSealError, SealError } from '../errors.ts'
import { isSameKek } from '../keys/kek-name.ts'
import type { DirectoryEntry, KeyDirectory } from '../keys/key-directory.ts'
import type { DekRecord } from '../keys/key-store.ts'
import { isUnder, type LeftKek } from '../keys/left-kek.ts'
import type { WrapRegister } from '../keys/wrap-register.ts'
import type { DekEntry, MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import type { ObjectInventory, OpenUpload } from '../segment/object-inventory.ts'
import { segmentFolder } from '../segment/object-key.ts'
import { DekStandings } from './dek-standings.ts'
import {
  type Dependent,
  type DependentObject,
  type DependentReason,
  type DependentTotals,
  isRetainedCopy,
} from './dependent.ts'
import { readDirectory } from './directory-scan.ts'
import { readAhead } from './read-ahead.ts'
import { hasObject } from './scoped-segments.ts'
import {
  type ScannedSegment,
  type ScannedStore,
  scanStore,
  type UnreadVersion,
} from './store-scan.ts'

/** Where dependents are looked for: the index and the bucket, each for itself. */
export interface DependentSources {
  readonly mapping: Pick<MappingReader, 'deksOfKek' | 'findSegment'>
  readonly wraps: Pick<WrapRegister, 'find'>
  readonly register: Pick<SegmentRegister, 'segments'>
  readonly directory: KeyDirectory
  readonly store: ScannedStore & {
    readonly inventory: Pick<ObjectInventory, 'objects' | 'uploads' | 'retainedUntilMs'>
  }
}

/** What is walked over. */
export interface DependentScope {
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
  readonly signal: AbortSignal
  /** Hears of every version of a segment object that was dealt with. */
  readonly onScanned: () => void
}

/**
 * Walks over everything that may depend on a KEK (or one version of it), and tells each thing that
 * does: objects as they are met, DEKs at the end. In this order:
 *
 *   uploads -> key directory -> DEKs on record -> every version of every object -> segments on record
 *
 * A DEK depends when the wrap that it has now is by the KEK: in the key directory, where there is an
 * entry, and else in the index or the metadata of the object; where the index has another wrap than
 * the directory, a rewrap has not come to its end, and both count. The version is told by directory
 * and index alone; where neither tells it, it counts. The bucket has the last word: an object is
 * found whatever the index says, and what the index says beyond that is told as `missing`. Changes
 * nothing, and asks no KMS: a wrap is taken for what it says of itself. Holds the DEKs that depend,
 * some 200 bytes each, and the open uploads. Throws SEAL_STORE_*, SEAL_MAPPING_*, SEAL_STOPPED and
 * what `visit` throws.
 */
export async function walkDependents(
  sources: DependentSources,
  kek: LeftKek,
  scope: DependentScope,
  visit: (dependent: Dependent) => Promise<void> | void,
): Promise<DependentTotals> {
  return new DependentWalk(sources, kek, scope, visit).run()
}

const RECORDS_AHEAD = { width: 16, held: 1 }

/** Answers about DEKs that are kept; objects of one DEK stand near each other. */
const ANSWERS_KEPT = 10_000

class DependentWalk {
  readonly #sources: DependentSources
  readonly #kek: LeftKek
  readonly #scope: DependentScope
  readonly #visit: (dependent: Dependent) => Promise<void> | void
  readonly #deks = new DekStandings()
  /** Of DEKs that objects name, whether another KEK wraps them by now. */
  readonly #otherwise = new Map<string, boolean>()
  /** By object key; those that were told are taken out. */
  readonly #uploads = new Map<string, OpenUpload[]>()
  /** Keys of uploads that an intent names. */
  readonly #named = new Set<string>()
  readonly #totals = {
    ...{ versions: 0, messages: 0, directoryEntries: 0, deksOnRecord: 0 },
    ...{ segmentsOnRecord: 0, uploads: 0, rewrapped: 0 },
  }

  constructor(
    sources: DependentSources,
    kek: LeftKek,
    scope: DependentScope,
    visit: (dependent: Dependent) => Promise<void> | void,
  ) {
    this.#sources = sources
    this.#kek = { ...kek, kekId: kek.kekId.trim() }
    this.#scope = scope
    this.#visit = visit
  }

  async run(): Promise<DependentTotals> {
    const { store } = this.#sources
    await this.#takeUploads()
    await readDirectory(store, this.#scope, (record) => {
      this.#totals.directoryEntries++
      if (this.#isUnder(record)) this.#deks.add(record, 'key directory')
    })
    await this.#takeRecords()
    const { versions, messages } = await scanStore(store, this.#scope, {
      segment: (found) => this.#takeSegment(found),
      unread: (found) => this.#takeUnread(found),
    })
    Object.assign(this.#totals, { versions, messages })
    await this.#takeSegmentsOnRecord()
    await this.#tellUnnamedUploads()
    for (const dek of this.#deks.list()) await this.#visit({ kind: 'dek', ...dek })
    return this.#totals
  }

  async #takeUploads(): Promise<void> {
    for await (const upload of this.#sources.store.inventory.uploads(segmentFolder(this.#scope))) {
      this.#totals.uploads++
      this.#uploads.set(upload.key, [...(this.#uploads.get(upload.key) ?? []), upload])
    }
  }

  /** What the index knows the KEK ever wrapped, under the wrap of now. */
  async #takeRecords(): Promise<void> {
    const { mapping, wraps } = this.#sources
    const open = async function* (dek: DekEntry): AsyncGenerator<DekRecord | null> {
      yield await wraps.find(dek.dekId)
    }
    for await (const record of readAhead(mapping.deksOfKek(this.#kek.kekId), open, RECORDS_AHEAD)) {
      heed(this.#scope.signal)
      this.#totals.deksOnRecord++
      const isWrap = record !== null && record.wrapped.length > 0
      if (isWrap && this.#isUnder(record)) this.#deks.add(record, 'register')
    }
  }

  async #takeSegment(found: ScannedSegment): Promise<void> {
    const { dekId, kekId, keyDomain, version } = found
    const isWrappedBy = isSameKek(this.#kek.kekId, kekId)
    if (!this.#deks.has(dekId)) {
      if (!isWrappedBy) return
      if (await this.#isOtherwise(found)) {
        this.#totals.rewrapped++
        return
      }
    }
    if (isWrappedBy) this.#deks.add({ dekId, keyDomain, kekVersion: null }, 'object metadata')
    const { inventory } = this.#sources.store
    const why = version.isCurrent ? await this.#whyCurrent(found) : 'noncurrent'
    const { key: objectKey, versionId, bytes } = version
    const retainedUntilMs = await inventory.retainedUntilMs(version).catch((error: unknown) => {
      // It was removed in this moment; told is what was seen.
      if (isSealError(error, 'SEAL_OBJECT_MISSING')) return null
      throw error
    })
    await this.#tell({ kind: 'object', objectKey, versionId, dekId, why, bytes, retainedUntilMs })
  }

  /** Whether the DEK of an object that names the KEK is under something else by now. */
  async #isOtherwise({ dekId }: ScannedSegment): Promise<boolean> {
    const known = this.#otherwise.get(dekId)
    if (known !== undefined) return known
    const found = await this.#entryOf(dekId)
    // The directory alone: a reader asks nobody else.
    const isOtherwise = found !== null && !this.#isUnder(found.dek)
    if (this.#otherwise.size >= ANSWERS_KEPT) this.#otherwise.clear()
    this.#otherwise.set(dekId, isOtherwise)
    return isOtherwise
  }

  /** null for one that is not there, or that is no entry. */
  async #entryOf(dekId: string): Promise<DirectoryEntry | null> {
    try {
      const found = await this.#sources.directory.find(dekId)
      return found?.dek.dekId === dekId ? found : null
    } catch (error) {
      if (isSealError(error, 'SEAL_MALFORMED')) return null
      throw error
    }
  }

  async #whyCurrent({ dekId, segmentId }: ScannedSegment): Promise<DependentReason> {
    const entry = await this.#sources.mapping.findSegment({ dekId, segmentId })
    return entry?.state === 'published' ? 'current' : 'unpublished'
  }

  async #takeUnread({ version, dekId }: UnreadVersion): Promise<void> {
    if (dekId !== null && !this.#deks.has(dekId)) return
    const { key: objectKey, versionId, bytes } = version
    const why = 'unread'
    await this.#tell({
      kind: 'object',
      objectKey,
      versionId,
      dekId,
      why,
      bytes,
      retainedUntilMs: null,
    })
  }

  /** Uploads do not tell their DEK, but their intents do; and what is on record must have been met. */
  async #takeSegmentsOnRecord(): Promise<void> {
    for await (const entry of this.#sources.register.segments()) {
      heed(this.#scope.signal)
      this.#totals.segmentsOnRecord++
      await this.#takeEntry(entry)
    }
  }

  async #takeEntry(entry: SegmentEntry): Promise<void> {
    const { dekId, objectKey } = entry
    const uploads = this.#uploads.get(objectKey) ?? []
    if (uploads.length > 0) this.#named.add(objectKey)
    if (!this.#deks.has(dekId)) return
    for (const upload of uploads) await this.#tell({ ...uploadOf(upload), dekId })
    if (uploads.length > 0) this.#uploads.delete(objectKey)
    // A writer that sleeps may bring its object yet; a sweep settles that.
    const isBegun = entry.state === 'intended'
    if (!isBegun && (!hasObject(entry) || this.#deks.isLive(dekId))) return
    const bytes = entry.bytes ?? 0
    const [why, kind] = [isBegun ? 'intended' : 'missing', 'object'] as const
    await this.#tell({ kind, objectKey, versionId: null, dekId, why, bytes, retainedUntilMs: null })
  }

  /** Those of no intent that are still there: nobody can tell what they would become. */
  async #tellUnnamedUploads(): Promise<void> {
    const open = this.#sources.store.inventory.uploads(segmentFolder(this.#scope))
    for await (const upload of open) {
      const isListed = this.#uploads.get(upload.key)?.some((one) => isSameUpload(one, upload))
      if (isListed && !this.#named.has(upload.key)) await this.#tell(uploadOf(upload))
    }
  }

  async #tell(found: DependentObject): Promise<void> {
    const { dekId } = found
    if (dekId !== null) this.#deks.note(dekId, isRetainedCopy(found) ? 'retained' : 'live')
    await this.#visit(found)
  }

  #isUnder(record: DekRecord): boolean {
    return isUnder(record, this.#kek)
  }
}

function uploadOf({ key: objectKey }: OpenUpload): DependentObject {
  const nothing = { versionId: null, dekId: null, bytes: 0, retainedUntilMs: null }
  return { kind: 'object', objectKey, why: 'upload', ...nothing }
}

function isSameUpload(a: OpenUpload, b: OpenUpload): boolean {
  return a.key === b.key && a.uploadId === b.uploadId
}

function heed(signal: AbortSignal): void {
  if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the walk over dependents was stopped')
}
