import type { Clock } from '../clock.ts'
import { isSealError, SealError } from '../errors.ts'
import type { ShredMark } from '../format/shred-mark.ts'
import type { KeyEventLog } from '../keys/key-events.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { DekEntry, MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import type { ShredRegister } from '../mapping/shred-register.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import { dekOfObject } from '../reader/segment-holder.ts'
import type { ShredMarks } from '../reader/shred-marks.ts'
import { type ObjectInventory, type StoredObject, versionsOf } from '../segment/object-inventory.ts'
import { dekObjectKey, domainFolder } from '../segment/object-key.ts'
import { scanStore } from './store-scan.ts'

/** The marks for those who make them. A mark that is there stays. Durable when it resolves. */
export interface WritableShredMarks extends ShredMarks {
  put(mark: ShredMark): Promise<void>
}

/** What it takes to destroy DEKs. */
export interface ShredPorts {
  readonly mapping: Pick<MappingReader, 'findDek' | 'segmentsOfDek'> & Pick<LookUps, 'deksOfDomain'>
  readonly shreds: ShredRegister
  readonly marks: WritableShredMarks
  readonly objects: ObjectReader
  readonly inventory: ObjectInventory
  readonly events: Pick<KeyEventLog, 'append' | 'eventsOf'>
  readonly clock: Pick<Clock, 'nowMs'>
}

/** Who destroys, where, and why. */
export interface ShredScope {
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
  readonly actor: string
  readonly reason: string
  /** Ends it between two steps; what is not done waits for the next run. */
  readonly signal: AbortSignal
  /** Hears of every segment and every version that was dealt with. */
  readonly onAdvanced: () => void
}

/** Something that is there in spite of all, and until when. */
export interface ShredRemainder {
  readonly object: string
  readonly versionId: string | null
  readonly dekId: string
  /** Until when the store keeps it; Infinity under a legal hold. */
  readonly untilMs: number
}

/** What one run did. What runs before it did stands in the register. */
export interface ShredOutcome {
  readonly versions: number
  readonly bytes: number
  readonly uploads: number
  readonly remaining: readonly ShredRemainder[]
}

/**
 * Destroys DEKs and everything that is sealed under them, for good, DEK by DEK:
 *
 *   wrap in the register -> entry in the key directory -> each segment -> all versions that carry a
 *   wrap of it, whatever the register says -> event
 *
 * and of each segment: the mark that tells readers -> every version of its object -> its uploads ->
 * the mark in the register. Whoever dies on the way is followed by the next run, which goes over all
 * of it again. A segment that was re-encrypted lives on under its new DEK: of it only the versions
 * under this DEK are removed. What the store keeps is covered, so that no reader gets it, and told.
 * No instance may hold the DEKs any more: the caller has seen to that. Throws SEAL_STORE_*,
 * SEAL_MAPPING_*, and SEAL_STOPPED.
 */
export async function shredDeks(
  ports: ShredPorts,
  deks: readonly DekEntry[],
  scope: ShredScope,
): Promise<ShredOutcome> {
  const run = new ShredRun(ports, scope)
  for (const dek of deks) await run.destroyKey(dek)
  await run.destroyStray(deks)
  for (const dek of deks) await run.conclude(dek)
  return run.outcome
}

class ShredRun {
  readonly #ports: ShredPorts
  readonly #scope: ShredScope
  readonly #remaining: ShredRemainder[] = []
  readonly #counts = { versions: 0, bytes: 0, uploads: 0 }

  constructor(ports: ShredPorts, scope: ShredScope) {
    this.#ports = ports
    this.#scope = scope
  }

  get outcome(): ShredOutcome {
    return { ...this.#counts, remaining: this.#remaining }
  }

  async destroyKey({ dekId }: DekEntry): Promise<void> {
    const { shreds, mapping, inventory } = this.#ports
    heed(this.#scope.signal)
    // First: a rewrap that comes after it finds nothing to wrap.
    await shreds.destroyWrap(dekId)
    for (const version of await versionsOf(inventory, dekObjectKey(this.#scope, dekId))) {
      await this.#remove(version, dekId)
    }
    for await (const entry of mapping.segmentsOfDek(dekId)) {
      heed(this.#scope.signal)
      await this.#destroySegment(entry)
      this.#scope.onAdvanced()
    }
  }

  /** What carries a wrap of the DEKs and stands on no record, or was brought since. */
  async destroyStray(deks: readonly DekEntry[]): Promise<void> {
    const { inventory, objects } = this.#ports
    const { prefix, signal, onAdvanced } = this.#scope
    const ids = new Set(deks.map(({ dekId }) => dekId))
    const kept = new Set(this.#remaining.map(({ versionId }) => versionId))
    const take = async (version: StoredObject, dekId: string | null) => {
      const isOurs = dekId !== null && ids.has(dekId) && !kept.has(version.versionId ?? '')
      if (isOurs) await this.#remove(version, dekId)
    }
    for (const keyDomain of new Set(deks.map((dek) => dek.keyDomain))) {
      const under = domainFolder({ prefix }, keyDomain)
      const scan = { prefix, under, signal, onScanned: onAdvanced }
      await scanStore({ inventory, objects }, scan, {
        segment: ({ version, dekId }) => take(version, dekId),
        unread: ({ version, dekId }) => take(version, dekId),
      })
    }
  }

  /** Once for each DEK, however many runs it took. */
  async conclude({ dekId }: DekEntry): Promise<void> {
    const { events, clock } = this.#ports
    for await (const { kind } of events.eventsOf(dekId)) if (kind === 'shredded') return
    const { actor, reason } = this.#scope
    const nothing = { kekId: null, kekVersion: null }
    await events.append([
      {
        dekId,
        kind: 'shredded',
        atMs: clock.nowMs(),
        actor,
        reason: `shred: ${reason}`,
        ...nothing,
      },
    ])
  }

  async #destroySegment(entry: SegmentEntry): Promise<void> {
    const { dekId, segmentId, objectKey } = entry
    const { marks, inventory, shreds, objects, clock } = this.#ports
    const versions = (await versionsOf(inventory, objectKey)).filter((one) => !one.isDeleteMarker)
    const holders = await Promise.all(
      versions.map(({ versionId }) => dekOfObject(objects, objectKey, versionId)),
    )
    const current = versions.findIndex(({ isCurrent }) => isCurrent)
    const isElsewhere = current >= 0 && holders[current] !== dekId
    const isOver = entry.state === 'replaced' || entry.state === 'swept' || isElsewhere
    if (!isOver) {
      const atMs = clock.nowMs()
      await marks.put({ segmentId, dekId, object: objectKey, atMs, by: this.#scope.actor })
    }
    for (const [i, version] of versions.entries()) {
      if (holders[i] === dekId) await this.#remove(version, dekId)
    }
    // Those of a segment that lives on elsewhere belong to whoever moves it.
    if (!isOver || entry.state === 'intended') await this.#abortUploads(objectKey)
    if (!isOver) await shreds.markShredded(entry, clock.nowMs())
  }

  async #abortUploads(objectKey: string): Promise<void> {
    const { inventory } = this.#ports
    for await (const upload of inventory.uploads(objectKey)) {
      if (upload.key !== objectKey) continue
      await inventory.abort(upload)
      this.#counts.uploads++
    }
  }

  /** One that the store keeps is covered by a mark of deletion, and told. */
  async #remove(version: StoredObject, dekId: string): Promise<void> {
    const { inventory } = this.#ports
    const { key: object, versionId, isCurrent, isDeleteMarker, bytes } = version
    try {
      await inventory.remove(version)
      if (isDeleteMarker) return
      this.#counts.versions++
      this.#counts.bytes += bytes
    } catch (error) {
      if (!isSealError(error, 'SEAL_STORE_REFUSED') || versionId === null) throw error
      const untilMs = await inventory.retainedUntilMs(version)
      if (untilMs === null) throw error
      if (isCurrent) await inventory.remove({ ...version, versionId: null })
      this.#remaining.push({ object, versionId, dekId, untilMs })
    }
  }
}

function heed(signal: AbortSignal): void {
  if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the shredding was stopped')
}
