import type { types } from 'cassandra-driver'
import type { Replaced, SegmentEntry, SegmentState } from '../../mapping/mapping-store.ts'

/** What {@link segmentEntry} reads of segments_by_dek. */
export const SEGMENT_COLUMNS =
  'dek_id, segment_id, object_key, created_at, message_count, bytes, sealed_at, published_at, swept_at, rows_dek_id, replaces_dek_id, replacing_at, replaced_at, replaced_by_dek_id, retained_until, successors, shredded_at'

/**
 * A row of segments_by_dek. null for one that a mark alone has made, since there is nothing that it
 * could be a mark of. Columns are null until their step of the road is done.
 */
export function segmentEntry(row: types.Row): SegmentEntry | null {
  if (row.object_key === null) return null
  return {
    dekId: String(row.dek_id),
    segmentId: String(row.segment_id),
    rowsDekId: rowsDekId(row),
    objectKey: row.object_key,
    createdAtMs: (row.created_at as Date).getTime(),
    state: segmentState(row),
    replaces: replaces(row),
    replaced: replaced(row),
    successors: ((row.successors as types.Uuid[] | null) ?? []).map(String),
    sweptAtMs: timeOf(row.swept_at),
    sealedAtMs: timeOf(row.sealed_at),
    messageCount: row.message_count,
    bytes: (row.bytes as types.Long | null)?.toNumber() ?? null,
  }
}

function segmentState(row: types.Row): SegmentState {
  if (row.shredded_at !== null) return 'shredded'
  if (row.replaced_at !== null) return 'replaced'
  if (row.published_at !== null) return 'published'
  if (row.swept_at !== null) return 'swept'
  return row.sealed_at === null ? 'intended' : 'sealed'
}

/** A re-encryption that was given up has no rows: those of its segment never came under its DEK. */
function rowsDekId(row: types.Row): string {
  const isGivenUp = row.swept_at !== null && row.published_at === null
  return String(isGivenUp ? row.dek_id : (row.rows_dek_id ?? row.dek_id))
}

function replaces(row: types.Row): SegmentEntry['replaces'] {
  const atMs = timeOf(row.replacing_at)
  return atMs === null ? null : { dekId: String(row.replaces_dek_id), atMs }
}

function replaced(row: types.Row): Replaced | null {
  const atMs = timeOf(row.replaced_at)
  if (atMs === null) return null
  const retainedUntilMs = timeOf(row.retained_until)
  return { atMs, byDekId: String(row.replaced_by_dek_id), retainedUntilMs }
}

function timeOf(value: unknown): number | null {
  return (value as Date | null)?.getTime() ?? null
}
