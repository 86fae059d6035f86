import type { Clock } from '../clock.ts'
import type {
  DekEntry,
  MappingReader,
  MappingWriter,
  SegmentEntry,
} from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import { SourceCounts } from '../mapping/source-counts.ts'
import { readAhead } from './read-ahead.ts'

/** What a backfill reads and writes. */
export interface BackfillPorts {
  readonly register: Pick<SegmentRegister, 'segments'>
  readonly mapping: Pick<MappingReader, 'framesOfSegment'>
  readonly writer: Pick<MappingWriter, 'recordPlaces' | 'recordTotals'>
  readonly deks: {
    /** Every DEK on record, in any order. */
    deks(): AsyncIterable<DekEntry>
    /** Makes the DEK one that is found by its key domain. */
    noteDomain(dek: DekEntry): Promise<void>
  }
  /** Notes that look-ups cover all that was sealed. */
  noteCoverage(atMs: number): Promise<void>
  readonly clock: Pick<Clock, 'nowMs'>
}

/** What a backfill went over. */
export interface BackfillSummary {
  readonly deks: number
  readonly segments: number
  readonly messages: number
}

/** Hears how a backfill gets on. */
export type BackfillProgress = (things: 'DEKs' | 'messages', count: number) => void

const SEGMENTS_AHEAD = { width: 8, held: 1 }

/**
 * Adds to the look-ups by domain, source, offset and time what was sealed before they were kept, from
 * the rows of every message. Writes what the road would have written, so it may be repeated, and run
 * beside the road; it goes over everything each time. Message ids are not in the rows: those stay
 * unknown. Errors: SEAL_MAPPING_*.
 */
export async function backfill(
  ports: BackfillPorts,
  onProgress: BackfillProgress,
): Promise<BackfillSummary> {
  let [deks, segments, messages] = [0, 0, 0]
  for await (const dek of ports.deks.deks()) {
    await ports.deks.noteDomain(dek)
    onProgress('DEKs', ++deks)
  }
  const open = async function* (segment: SegmentEntry) {
    yield await fillIn(ports, segment)
  }
  for await (const count of readAhead(ports.register.segments(), open, SEGMENTS_AHEAD)) {
    segments += 1
    messages += count
    onProgress('messages', messages)
  }
  await ports.noteCoverage(ports.clock.nowMs())
  return { deks, segments, messages }
}

/** Totals say what a sealed segment holds; one that may still grow has none. */
async function fillIn({ mapping, writer }: BackfillPorts, segment: SegmentEntry): Promise<number> {
  const totals = new SourceCounts()
  let count = 0
  for await (const frames of mapping.framesOfSegment(segment)) {
    await writer.recordPlaces(segment, frames)
    totals.add(frames)
    count += frames.count
  }
  const isSealed = segment.sealedAtMs !== null && segment.messageCount === count
  if (isSealed && count > 0) await writer.recordTotals(segment, totals.all())
  return count
}
