import type { Replaced, RowsKey, SegmentKey } from '../../mapping/mapping-store.ts'
import type { ReplacementIntent, SegmentReplacements } from '../../mapping/segment-replacements.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

const ADD_SUCCESSOR =
  'UPDATE segments_by_dek SET successors = successors + ? WHERE dek_id = ? AND segment_id = ?'
const INSERT_REPLACING =
  'INSERT INTO segments_by_dek (dek_id, segment_id, object_key, created_at, rows_dek_id, replaces_dek_id, replacing_at) VALUES (?, ?, ?, ?, ?, ?, ?)'
const INSERT_REPLACED =
  'INSERT INTO segments_by_dek (dek_id, segment_id, replaced_at, replaced_by_dek_id, retained_until) VALUES (?, ?, ?, ?, ?)'
const UPDATE_STATUS = ['message_encryption_map', 'message_runs'].map(
  (table) => `UPDATE ${table} SET key_rotation_status = ? WHERE dek_id = ? AND segment_id = ?`,
)

/** {@link SegmentReplacements} over Cassandra. */
export class CassandraSegmentReplacements implements SegmentReplacements {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  recordDue(segment: RowsKey): Promise<void> {
    return this.#setStatus(segment, 'due')
  }

  async recordReplacing(intent: ReplacementIntent): Promise<void> {
    const successor = [[uuidBytes(intent.dekId)]]
    const before = [uuidBytes(intent.replacesDekId), uuidBytes(intent.segmentId)]
    await this.#connection.execute(ADD_SUCCESSOR, [...successor, ...before])
    await this.#connection.execute(INSERT_REPLACING, [
      uuidBytes(intent.dekId),
      uuidBytes(intent.segmentId),
      intent.objectKey,
      new Date(intent.createdAtMs),
      uuidBytes(intent.rowsDekId),
      uuidBytes(intent.replacesDekId),
      new Date(intent.beganAtMs),
    ])
    await this.#setStatus(intent, 'running')
  }

  async recordReplaced(
    segment: SegmentKey & RowsKey,
    { atMs, byDekId, retainedUntilMs }: Replaced,
  ): Promise<void> {
    const until = retainedUntilMs === null ? null : new Date(retainedUntilMs)
    const replaced = [new Date(atMs), uuidBytes(byDekId), until]
    const key = [uuidBytes(segment.dekId), uuidBytes(segment.segmentId)]
    await this.#setStatus(segment, 'replaced')
    await this.#connection.execute(INSERT_REPLACED, [...key, ...replaced])
  }

  /** For those who read the tables by themselves; nothing here goes by it. */
  async #setStatus(
    { rowsDekId, segmentId }: RowsKey,
    status: 'due' | 'running' | 'replaced',
  ): Promise<void> {
    const params = [status, uuidBytes(rowsDekId), uuidBytes(segmentId)]
    await Promise.all(UPDATE_STATUS.map((update) => this.#connection.execute(update, params)))
  }
}
