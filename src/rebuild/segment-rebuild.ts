import type { Clock } from '../clock.ts'
import type { ScannedSegment } from '../incident/store-scan.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { MappingReader, MappingWriter, SegmentEntry } from '../mapping/mapping-store.ts'
import { SourceCounts } from '../mapping/source-counts.ts'
import type { Differences } from './differences.ts'
import type { Publication } from './publications.ts'
import { compareRows, type RowDifference, SAME_ROWS } from './row-comparison.ts'
import { isUnderWay } from './segment-state.ts'

/** Where segments stand on record, and how they are put there. */
export interface SegmentPorts {
  readonly mapping: Pick<MappingReader, 'findSegment' | 'framesOfSegment'> &
    Pick<LookUps, 'missingPlaces'>
  /** null: nothing is written. */
  readonly writer: MappingWriter | null
  readonly clock: Pick<Clock, 'nowMs'>
}

/** How closely segments are looked at. */
export interface SegmentSettings {
  /**
   * compare: rows by their digest; trust: a segment with the right totals is taken to have its rows,
   * which none are read for; force: what is on record is compared, and written again all the same.
   */
  readonly rows: 'compare' | 'trust' | 'force'
  /** An encryptor may still be at work on a segment that is younger than this. */
  readonly underWayMs: number
  /** Take what is there for published, since nobody can tell. */
  readonly isTakenForPublished: boolean
}

/** What was made of the segments. */
export interface SegmentCounts {
  /** Segments that encryptors are at work on; they are not compared. */
  underWay: number
  /** Written, in whole or in part; and of those, the messages. */
  written: number
  writtenMessages: number
}

/**
 * Holds segments of the store against what is on record of them, and writes what is missing. Nothing
 * is ever taken away, and what is on record and differs stays, but for rows that say another place.
 */
export class SegmentRebuild {
  readonly #ports: SegmentPorts
  readonly #settings: SegmentSettings
  readonly #differences: Differences
  readonly counts: SegmentCounts = { underWay: 0, written: 0, writtenMessages: 0 }

  constructor(ports: SegmentPorts, settings: SegmentSettings, differences: Differences) {
    this.#ports = ports
    this.#settings = settings
    this.#differences = differences
  }

  /**
   * Deals with one segment. False when it is not on record, and it takes more than the references by
   * themselves to say whether it was published: nothing was done then, see {@link restore}. Throws
   * SEAL_MAPPING_*.
   */
  async take(found: ScannedSegment, publication: Publication): Promise<boolean> {
    const entry = await this.#ports.mapping.findSegment(found)
    if (entry !== null) await this.#complete(found, entry, publication)
    else if (publication === 'unnamed') return false
    else await this.restore(found, true)
    return true
  }

  /**
   * Puts a segment on record that is not. The intent comes last: until then no look-up sees it, and
   * whoever dies before finds it missing as before. Without the mark of publication a sweep may judge
   * it by the references.
   */
  async restore(found: ScannedSegment, isPublished: boolean): Promise<void> {
    const { version, dekId, frames } = found
    const place = placeOf(found)
    this.#differences.add({ kind: 'missingSegment', ...place, meaning: `not on record: ${dekId}` })
    const meaning = `the segment under DEK ${dekId} is not on record`
    this.#differences.add({ kind: 'missingRow', count: frames.count, ...place, meaning })
    const { writer } = this.#ports
    if (writer === null) return
    if (isPublished) await writer.recordPublished(found, timeOf(found))
    await writer.recordPlaces(found, frames)
    await writer.writeRows(found, version.key, frames)
    await writer.recordTotals(found, new SourceCounts().add(frames).all())
    await writer.recordSealed(summaryOf(found))
    await writer.recordIntent(intentOf(found))
    this.#count(frames.count)
  }

  async #complete(
    found: ScannedSegment,
    entry: SegmentEntry,
    publication: Publication,
  ): Promise<void> {
    if (isUnderWay(found, entry, this.#settings.underWayMs, this.#ports.clock.nowMs())) {
      this.counts.underWay++
      return
    }
    const isTrusted = this.#isTrusted(found, entry)
    const rows = isTrusted ? SAME_ROWS : await compareRows(this.#ports.mapping, entry, found.frames)
    const isUnsealed = entry.messageCount === null || entry.bytes === null
    const isUnmarked = this.#isUnmarked(entry, publication)
    const place = { ...entry, dekId: entry.rowsDekId }
    const missingPlaces = isTrusted
      ? 0
      : await this.#ports.mapping.missingPlaces(place, found.frames)
    this.#tell(found, entry, rows, { isUnsealed, isUnmarked, missingPlaces })
    const { writer } = this.#ports
    if (writer === null) return
    const isForced = this.#settings.rows === 'force'
    const areRowsWritten = isForced || rows.missing + rows.elsewhere > 0
    // A segment that was re-encrypted has its rows where they were.
    const rowsKey = { dekId: entry.rowsDekId, segmentId: entry.segmentId }
    if (isForced || missingPlaces > 0) {
      await writer.recordPlaces(place, found.frames)
      await writer.recordTotals(place, new SourceCounts().add(found.frames).all())
    }
    if (areRowsWritten) {
      await writer.writeRows(rowsKey, entry.objectKey, found.frames)
    }
    if (isForced || isUnsealed) await writer.recordSealed(summaryOf(found, entry.sealedAtMs))
    if (isUnmarked) await writer.recordPublished(entry, timeOf(found))
    // Other tables may be led by the intent; the time on record is the better one.
    if (isForced) await writer.recordIntent(entry)
    if (areRowsWritten) this.#count(found.frames.count)
    else if (isUnsealed || isUnmarked || missingPlaces > 0) this.#count(0)
  }

  #isTrusted(found: ScannedSegment, entry: SegmentEntry): boolean {
    return (
      this.#settings.rows === 'trust' &&
      entry.messageCount === found.frames.count &&
      entry.bytes === found.bytes
    )
  }

  #isUnmarked({ state }: SegmentEntry, publication: Publication): boolean {
    if (state === 'published' || state === 'replaced' || state === 'shredded') return false
    return publication === 'named' || (this.#settings.isTakenForPublished && state !== 'swept')
  }

  #tell(
    found: ScannedSegment,
    entry: SegmentEntry,
    rows: RowDifference,
    {
      isUnsealed,
      isUnmarked,
      missingPlaces,
    }: {
      readonly isUnsealed: boolean
      readonly isUnmarked: boolean
      readonly missingPlaces: number
    },
  ): void {
    const differ = (kind: Parameters<Differences['add']>[0]['kind'], count: number, what: string) =>
      this.#differences.add({ kind, count, ...placeOf(found), meaning: what })
    differ('missingRow', rows.missing, 'messages of the object without a row')
    differ('otherRow', rows.elsewhere, 'rows that say another place in the object')
    differ('extraRow', rows.extra, 'rows for which the object has no message')
    differ('missingPlace', missingPlaces, 'look-ups by source or offset do not lead to it')
    differ('missingMark', +isUnsealed, 'its totals are not on record')
    differ('missingMark', +isUnmarked, 'its mark of publication is not on record')
    if (entry.objectKey !== found.version.key) {
      differ('otherObject', 1, `it is on record as ${entry.objectKey}`)
    }
    const isOther = entry.messageCount !== found.frames.count || entry.bytes !== found.bytes
    if (isUnsealed || !isOther) return
    const [messages, bytes] = [entry.messageCount, entry.bytes]
    differ('otherTotals', 1, `it is on record with ${messages} messages and ${bytes} bytes`)
  }

  #count(messages: number): void {
    this.counts.written++
    this.counts.writtenMessages += messages
  }
}

function placeOf({ version, dekId }: ScannedSegment) {
  const { key: object, versionId } = version
  return { object, ...(versionId === null ? {} : { versionId }), dekId }
}

function intentOf({ dekId, segmentId, version, createdAtMs }: ScannedSegment) {
  return { dekId, segmentId, objectKey: version.key, createdAtMs }
}

/** A time that is on record is better than that of the store. */
function summaryOf(found: ScannedSegment, onRecordMs: number | null = null) {
  const { dekId, segmentId, bytes, frames } = found
  const sealedAtMs = onRecordMs ?? timeOf(found)
  return { dekId, segmentId, messageCount: frames.count, bytes, sealedAtMs }
}

/** When the object was there, by the clock of the store: the best that is known of both marks. */
function timeOf({ version, createdAtMs }: ScannedSegment): number {
  return Number.isNaN(version.modifiedAtMs) ? createdAtMs : version.modifiedAtMs
}
