import type { ReferenceLog } from '../incident/reference-log.ts'
import { provenElsewhere } from '../incident/sweep-evidence.ts'
import type {
  FrameColumns,
  MappedMessage,
  RowsKey,
  SegmentEntry,
} from '../mapping/mapping-store.ts'
import type { ScannedSegment } from './store-scan.ts'

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
  const mapping = { messagesOfSegment: (of: RowsKey) => messagesOf(frames.get(nameOf(of))) }
  const found = await provenElsewhere(references, mapping, [...byEntry.keys()], 0, signal)
  return new Set([...byEntry].filter(([entry]) => found.has(entry)).map(([, one]) => one))
}

/** A segment as it would stand on record without a mark. */
function entryOf(found: ScannedSegment): SegmentEntry {
  const { dekId, segmentId, version, createdAtMs, frames, bytes } = found
  const state = { state: 'sealed', sweptAtMs: null, replaces: null, replaced: null } as const
  const totals = { messageCount: frames.count, bytes }
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

async function* messagesOf(frames: FrameColumns | undefined): AsyncGenerator<MappedMessage> {
  if (frames === undefined) return
  const { count, sources, source, offset, position, length } = frames
  for (let i = 0; i < count; i++) {
    const { topic = '', partition = 0 } = sources[source[i] as number] ?? {}
    const [at, place, bytes] = [offset[i], position[i], length[i]] as [number, number, number]
    yield { topic, partition, offset: at, position: place, length: bytes }
  }
}

function nameOf({ rowsDekId, segmentId }: RowsKey): string {
  return `${rowsDekId}/${segmentId}`
}
