import type { ReferenceLog } from '../incident/reference-log.ts'
import type { ScannedSegment } from '../incident/store-scan.ts'
import { provenElsewhere } from '../incident/sweep-evidence.ts'
import type { FrameColumns, RowsKey, SegmentEntry } from '../mapping/mapping-store.ts'

/**
 * Those of the segments each of whose messages has a committed reference to another object, as
 * {@link provenElsewhere} tells it of segments on record.
 */
export async function sealedElsewhere(
  references: ReferenceLog,
  segments: readonly ScannedSegment[],
  signal: AbortSignal,
): Promise<ReadonlySet<ScannedSegment>> {
  const byEntry = new Map(segments.map((one) => [entryOf(one), one]))
  const frames = new Map([...byEntry].map(([entry, one]) => [nameOf(entry), one.frames]))
  const mapping = {
    async *framesOfSegment(of: RowsKey): AsyncGenerator<FrameColumns> {
      const found = frames.get(nameOf(of))
      if (found !== undefined) yield found
    },
  }
  const found = await provenElsewhere(references, mapping, [...byEntry.keys()], 0, signal)
  return new Set([...byEntry].filter(([entry]) => found.has(entry)).map(([, one]) => one))
}

/** A segment as it would stand on record without a mark. */
function entryOf(found: ScannedSegment): SegmentEntry {
  const { dekId, segmentId, version, createdAtMs, frames, bytes } = found
  const state = { state: 'sealed', sweptAtMs: null, replaces: null, replaced: null } as const
  const totals = { messageCount: frames.count, bytes, sealedAtMs: createdAtMs, successors: [] }
  return {
    dekId,
    rowsDekId: dekId,
    segmentId,
    objectKey: version.key,
    createdAtMs,
    ...state,
    ...totals,
  }
}

function nameOf({ rowsDekId, segmentId }: RowsKey): string {
  return `${rowsDekId}/${segmentId}`
}
