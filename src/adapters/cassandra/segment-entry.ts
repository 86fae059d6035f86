import type { types } from 'cassandra-driver'
import type { SegmentEntry, SegmentState } from '../../mapping/mapping-store.ts'

/** What {@link segmentEntry} reads of segments_by_dek. */
export const SEGMENT_COLUMNS =
  'dek_id, segment_id, object_key, created_at, message_count, bytes, sealed_at, published_at, swept_at'

/**
 * A row of segments_by_dek. null for one that a mark alone has made, since there is nothing that it
 * could be a mark of. Columns are null until their step of the road is done.
 */
export function segmentEntry(row: types.Row): SegmentEntry | null {
  if (row.object_key === null) return null
  return {
    dekId: String(row.dek_id),
    segmentId: String(row.segment_id),
    objectKey: row.object_key,
    createdAtMs: (row.created_at as Date).getTime(),
    state: segmentState(row),
    sweptAtMs: (row.swept_at as Date | null)?.getTime() ?? null,
    sealedAtMs: (row.sealed_at as Date | null)?.getTime() ?? null,
    messageCount: row.message_count,
    bytes: (row.bytes as types.Long | null)?.toNumber() ?? null,
  }
}

function segmentState(row: types.Row): SegmentState {
  if (row.published_at !== null) return 'published'
  if (row.swept_at !== null) return 'swept'
  return row.sealed_at === null ? 'intended' : 'sealed'
}
