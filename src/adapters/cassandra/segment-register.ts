import type { SegmentEntry, SegmentKey } from '../../mapping/mapping-store.ts'
import type { SegmentRegister } from '../../mapping/segment-register.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { SEGMENT_COLUMNS, segmentEntry } from './segment-entry.ts'

const SELECT_ALL = `SELECT ${SEGMENT_COLUMNS} FROM segments_by_dek`
const DELETE_ROWS = 'DELETE FROM message_encryption_map WHERE dek_id = ? AND segment_id = ?'
const DELETE_RUNS = 'DELETE FROM message_runs WHERE dek_id = ? AND segment_id = ?'
const INSERT_SWEPT = 'INSERT INTO segments_by_dek (dek_id, segment_id, swept_at) VALUES (?, ?, ?)'

/** {@link SegmentRegister} over Cassandra: one paged walk over the whole table. */
export class CassandraSegmentRegister implements SegmentRegister {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  async *segments(): AsyncGenerator<SegmentEntry> {
    for await (const row of this.#connection.rows(SELECT_ALL, [])) {
      const entry = segmentEntry(row)
      if (entry !== null) yield entry
    }
  }

  /** The mark comes last: whoever dies before it finds the segment again. */
  async markSwept(segment: SegmentKey, sweptAtMs: number): Promise<void> {
    const key = [uuidBytes(segment.dekId), uuidBytes(segment.segmentId)]
    await this.#connection.execute(DELETE_ROWS, key)
    await this.#connection.execute(DELETE_RUNS, key)
    await this.#connection.execute(INSERT_SWEPT, [...key, new Date(sweptAtMs)])
  }
}
