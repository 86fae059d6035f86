import { FRAME_OVERHEAD_BYTES } from '../format/frame.ts'
import { FORMAT_VERSION, SUITE_AES_256_GCM } from '../format/segment-header.ts'
import type { SegmentInspection } from './segment-inspection.ts'

/** What a segment holds of one partition. A source without frames had messages set aside only. */
export interface SourceSummary {
  readonly topic: string
  readonly partition: number
  readonly frames: number
  /** null without frames. */
  readonly firstOffset: number | null
  readonly lastOffset: number | null
}

/** A segment in figures. */
export interface SegmentSummary {
  readonly object: string
  readonly bytes: number
  readonly formatVersion: number
  readonly suite: number
  readonly segmentId: string
  readonly generation: number
  /** Milliseconds since 1970, a whole minute. */
  readonly createdAtMs: number
  readonly dekId: string
  readonly kekId: string
  readonly keyDomain: string
  readonly clusterId: string
  readonly frames: number
  readonly frameBytes: { readonly min: number; readonly median: number; readonly max: number }
  readonly footerBytes: number
  /** Bytes of the object that belong to no parcel, divided by its messages. */
  readonly overheadBytesPerMessage: number
  readonly sources: readonly SourceSummary[]
}

/** Counts and measures what an inspection has found. */
export function summarizeSegment(inspection: SegmentInspection): SegmentSummary {
  const { object, objectBytes, metadata, footer, footerBytes } = inspection
  const { segmentId, generation, createdAtMs, dekId } = metadata.header
  const { kekId, keyDomain, clusterId } = metadata
  const lengths = Uint32Array.from(footer.frames, ({ length }) => length).sort()
  const lengthAt = (index: number) => lengths[index] as number
  const parcels = lengths.reduce((sum, length) => sum + length - FRAME_OVERHEAD_BYTES, 0)
  return {
    object,
    bytes: objectBytes,
    ...{ formatVersion: FORMAT_VERSION, suite: SUITE_AES_256_GCM },
    ...{ segmentId, generation, createdAtMs, dekId, kekId, keyDomain, clusterId },
    frames: lengths.length,
    frameBytes: {
      min: lengthAt(0),
      median: lengthAt(lengths.length >> 1),
      max: lengthAt(lengths.length - 1),
    },
    footerBytes,
    overheadBytesPerMessage: Math.round((10 * (objectBytes - parcels)) / lengths.length) / 10,
    sources: sourcesOf(inspection),
  }
}

function sourcesOf({ footer }: SegmentInspection): SourceSummary[] {
  const found = footer.sources.map(({ topic, partition }) => ({
    ...{ topic, partition, frames: 0 },
    ...{ firstOffset: null as number | null, lastOffset: null as number | null },
  }))
  for (const { source, offset } of footer.frames) {
    const summary = found[source] as (typeof found)[number]
    summary.frames++
    // Offsets of a source rise along the index.
    summary.firstOffset ??= offset
    summary.lastOffset = offset
  }
  return found
}
