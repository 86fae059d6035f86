import { isSealError, SealError } from '../errors.ts'
import type { ReferenceLog } from '../incident/reference-log.ts'
import {
  countVersions,
  readVersion,
  type ScannedSegment,
  type ScannedStore,
  type ScanTotals,
  scanStore,
} from '../incident/store-scan.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import type { StoredObject } from '../segment/object-inventory.ts'
import { segmentFolder } from '../segment/object-key.ts'
import { Claims } from './claims.ts'
import {
  DIFFERENCE_KINDS,
  type Difference,
  type DifferenceKind,
  Differences,
  differenceKinds,
} from './differences.ts'
import { sealedElsewhere } from './elsewhere.ts'
import { type KeyPorts, KeyRebuild } from './key-rebuild.ts'
import { type Publication, Publications } from './publications.ts'
import { type SegmentPorts, SegmentRebuild, type SegmentSettings } from './segment-rebuild.ts'
import { isHeld } from './segment-state.ts'

/** What a rebuild works with. Writers that are null leave the index as it is. */
export interface RebuildPorts extends KeyPorts, SegmentPorts {
  readonly mapping: KeyPorts['mapping'] & SegmentPorts['mapping']
  readonly store: ScannedStore
  readonly register: Pick<SegmentRegister, 'segments'>
  /** null: nothing is written. */
  readonly coverage: Coverage | null
  /** null when Kafka did not survive. */
  readonly references: ReferenceLog | null
}

/** What is noted of a rebuild as a whole. */
export interface Coverage {
  /** Segments may come back that were taken for gone. */
  begin(): Promise<void>
  /** All that the bucket holds is on record. */
  end(): Promise<void>
}

/** What is rebuilt. */
export interface RebuildScope {
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
  readonly rows: SegmentSettings['rows']
  readonly underWayMs: number
  /** Differences of a kind that are kept; all are counted. */
  readonly keptMax: number
  readonly signal: AbortSignal
  readonly observer: RebuildObserver
}

/** The steps of a rebuild, in their order, and what each goes through. */
export type RebuildStep =
  | 'references'
  | 'DEKs'
  | 'objects'
  | 'unreferenced segments'
  | 'segments on record'

/** Hears how far a rebuild is. */
export interface RebuildObserver {
  /** `total` is null where it is not known before the end. */
  stepBegan(step: RebuildStep, total: number | null): void
  advanced(count: number): void
}

/** What a rebuild found, and did. */
export interface RebuildReport {
  /** False when it was stopped: then what it did not come to is not told. */
  readonly isComplete: boolean
  /** What the store holds, as far as it was read. */
  readonly store: ScanTotals & { readonly deks: number }
  /** What the references said of the segments. */
  readonly publications: Readonly<Record<Publication, number>>
  /** Segments that encryptors were at work on; they were not compared. */
  readonly underWay: number
  /** Differences that were found, whether they were mended or not. */
  readonly found: Readonly<Record<DifferenceKind, number>>
  /** How many of them are left. */
  readonly left: number
  /** The first of each kind. */
  readonly differences: readonly Difference[]
  readonly written: { readonly deks: number; readonly segments: number; readonly messages: number }
}

/** Messages that the proof of one batch of unreferenced segments may hold. */
const PROOF_MESSAGES_MAX = 500_000

/**
 * Holds the index against the store and the references, and writes what is missing: DEKs, segments,
 * rows, marks. In this order:
 *
 *   references -> key directory -> every version of every object -> segments on record
 *
 * An encryptor records its intent before its object is there, so of whatever the scan finds, and the
 * index lacks, no encryptor will bring the record any more. A segment that is put on record is marked
 * as published, which keeps a sweep from it, unless two things prove that nobody needs it: the
 * references of its time are there in full, and name it nowhere; and each of its messages has a
 * reference to another object. Idempotent; may be stopped and repeated, and may run beside encryptors.
 * Throws those of the ports; when the signal aborts, what was found by then comes back.
 */
export async function rebuildIndex(
  ports: RebuildPorts,
  scope: RebuildScope,
): Promise<RebuildReport> {
  return new Rebuild(ports, scope).run()
}

class Rebuild {
  readonly #ports: RebuildPorts
  readonly #scope: RebuildScope
  readonly #differences: Differences
  readonly #keys: KeyRebuild
  readonly #segments: SegmentRebuild
  readonly #claims = new Claims()
  readonly #published = { named: 0, unnamed: 0, untold: 0 }
  /** Versions that are not on record, and that no reference names. */
  readonly #unnamed: StoredObject[] = []
  readonly #totals = { versions: 0, messages: 0, unread: 0, gone: 0 }

  constructor(ports: RebuildPorts, scope: RebuildScope) {
    const { prefix, rows, underWayMs, keptMax } = scope
    this.#ports = ports
    this.#scope = scope
    this.#differences = new Differences(keptMax)
    this.#keys = new KeyRebuild(ports.store, ports, prefix, this.#differences)
    const isTakenForPublished = ports.references === null
    const settings = { rows, underWayMs, isTakenForPublished }
    this.#segments = new SegmentRebuild(ports, settings, this.#differences)
  }

  async run(): Promise<RebuildReport> {
    const isComplete = await this.#steps().then(
      () => true,
      (error: unknown) => {
        if (isSealError(error, 'SEAL_STOPPED')) return false
        throw error
      },
    )
    const found = this.#differences.counts
    // Nobody knows what an object holds that cannot be read.
    if (isComplete && found.unreadObject === 0) await this.#ports.coverage?.end()
    const isMended = (kind: DifferenceKind) =>
      DIFFERENCE_KINDS[kind].isMended && this.#ports.writer !== null
    const left = differenceKinds.filter((kind) => !isMended(kind))
    return {
      isComplete,
      store: { ...this.#totals, deks: this.#keys.directorySize },
      publications: this.#published,
      underWay: this.#segments.counts.underWay,
      found,
      left: left.reduce((sum, kind) => sum + found[kind], 0),
      differences: this.#differences.list(),
      written: {
        deks: this.#keys.written,
        segments: this.#segments.counts.written,
        messages: this.#segments.counts.writtenMessages,
      },
    }
  }

  async #steps(): Promise<void> {
    const { signal } = this.#scope
    await this.#ports.coverage?.begin()
    const publications = await this.#readReferences()
    this.#begin('DEKs', null)
    await this.#keys.takeDirectory(signal, () => this.#advanced(1))
    await this.#scan(publications)
    await this.#restoreUnnamed()
    await this.#keys.settle()
    await this.#tellExtra()
  }

  async #readReferences(): Promise<Publications> {
    const { references } = this.#ports
    if (references === null) return Publications.none()
    this.#begin('references', null)
    return Publications.read(references, this.#scope.signal, (count) => this.#advanced(count))
  }

  async #scan(publications: Publications): Promise<void> {
    const { store } = this.#ports
    const { prefix, signal } = this.#scope
    const onScanned = (messages: number) => {
      this.#totals.versions++
      this.#totals.messages += messages
      this.#advanced(1)
    }
    const scope = { prefix, signal, onScanned }
    this.#begin('objects', await countVersions(store, scope))
    const { unread, gone } = await scanStore(store, scope, {
      segment: (found) => this.#take(found, publications.of(found)),
      unread: ({ version, reason, dekId }) => {
        const claim = dekId === null ? {} : { dekId }
        const place = { object: version.key, ...versionOf(version), ...claim }
        this.#differences.add({ kind: 'unreadObject', ...place, meaning: reason })
      },
    })
    Object.assign(this.#totals, { unread, gone })
  }

  async #take(found: ScannedSegment, publication: Publication): Promise<void> {
    if (!this.#claims.add(found)) return
    this.#published[publication]++
    await this.#keys.takeSegment(found)
    const isDone = await this.#segments.take(found, publication)
    if (!isDone) this.#unnamed.push(found.version)
  }

  /** The rest of the question of {@link rebuildIndex}: whether every message is elsewhere. */
  async #restoreUnnamed(): Promise<void> {
    const { references, store } = this.#ports
    if (references === null || this.#unnamed.length === 0) return
    this.#begin('unreferenced segments', this.#unnamed.length)
    let batch: ScannedSegment[] = []
    let messages = 0
    for (const version of this.#unnamed) {
      const found = await readVersion(store, version)
      if (found === null || 'code' in found) continue
      if (batch.length > 0 && messages + found.frames.count > PROOF_MESSAGES_MAX) {
        await this.#restoreBatch(references, batch)
        batch = []
        messages = 0
      }
      batch.push(found)
      messages += found.frames.count
    }
    await this.#restoreBatch(references, batch)
  }

  async #restoreBatch(references: ReferenceLog, batch: readonly ScannedSegment[]): Promise<void> {
    const { signal } = this.#scope
    const elsewhere =
      this.#ports.writer === null
        ? new Set<ScannedSegment>()
        : await sealedElsewhere(references, batch, signal)
    for (const found of batch) {
      if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the rebuilding was stopped')
      await this.#segments.restore(found, !elsewhere.has(found))
      this.#advanced(1)
    }
  }

  /** What is on record as sealed, under the prefix, and was not in the store when it was scanned. */
  async #tellExtra(): Promise<void> {
    const { register } = this.#ports
    const { prefix, signal } = this.#scope
    this.#begin('segments on record', null)
    for await (const entry of register.segments()) {
      if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the rebuilding was stopped')
      this.#advanced(1)
      const { state, objectKey: object, dekId } = entry
      const isKept = state === 'published' || state === 'sealed'
      if (!isKept || !object.startsWith(segmentFolder({ prefix }))) continue
      if (this.#claims.has(entry) || (await isHeld(this.#ports.store, entry))) continue
      const meaning = `it is on record as ${state}, and no object holds it`
      this.#differences.add({ kind: 'extraSegment', object, dekId, meaning })
    }
  }

  #begin(step: RebuildStep, total: number | null): void {
    this.#scope.observer.stepBegan(step, total)
  }

  #advanced(count: number): void {
    this.#scope.observer.advanced(count)
  }
}

function versionOf({ versionId }: StoredObject): { readonly versionId?: string } {
  return versionId === null ? {} : { versionId }
}
