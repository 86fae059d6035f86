import type { types } from 'cassandra-driver'
import { mergedRuns, runColumns } from '../../mapping/frame-runs.ts'
import type {
  DekEntry,
  FrameColumns,
  MappingReader,
  RowsKey,
  SegmentEntry,
  SegmentKey,
} from '../../mapping/mapping-store.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { dayOf } from './look-up-days.ts'
import { installColumnParser } from './row-columns.ts'
import { SEGMENT_COLUMNS, segmentEntry } from './segment-entry.ts'
import { rowsOfSegment, runsOfSegment } from './segment-runs.ts'

const SELECT_DEK =
  'SELECT dek_id, key_domain, kek_id, kek_version, created_at FROM deks WHERE dek_id = ?'
const SELECT_KEK_DAYS = 'SELECT kek_id, day FROM kek_days WHERE kek_name = ?'
const SELECT_BY_KEK =
  'SELECT dek_id, key_domain, kek_id, kek_version, later_versions, created_at FROM deks_by_kek WHERE kek_id = ? AND day = ?'
const SELECT_ONE_BY_KEK = `${SELECT_BY_KEK} AND created_at = ? AND dek_id = ?`
const SELECT_KEK_DAY = 'SELECT kek_id FROM kek_days WHERE kek_name = ? AND day = ?'
const SELECT_SEGMENTS = `SELECT ${SEGMENT_COLUMNS} FROM segments_by_dek WHERE dek_id = ?`
const SELECT_SEGMENT = `${SELECT_SEGMENTS} AND segment_id = ?`

/** {@link MappingReader} over Cassandra. Iterators hold one page of rows, whatever they walk over. */
export class CassandraMappingReader implements MappingReader {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
    installColumnParser()
  }

  async findDek(dekId: string): Promise<DekEntry | null> {
    const result = await this.#connection.execute(SELECT_DEK, [uuidBytes(dekId)])
    const row = result.first()
    return row === null ? null : dekEntry(row)
  }

  /** `kekId` may be the id in full or its last part alone; the latter may stand for several KEKs. */
  async *deksOfKek(kekId: string, kekVersion?: string): AsyncGenerator<DekEntry> {
    for await (const { kek_id, day } of this.#connection.rows(SELECT_KEK_DAYS, [kekId])) {
      const params = [kek_id as string, String(day)]
      for await (const row of this.#connection.rows(SELECT_BY_KEK, params)) {
        const dek = entryUnder(row, kekVersion)
        if (dek !== null) yield dek
      }
    }
  }

  async dekUnder(dek: DekEntry, kekId: string, kekVersion?: string): Promise<DekEntry | null> {
    const { dekId, createdAtMs } = dek
    const day = dayOf(createdAtMs)
    const { rows } = await this.#connection.execute(SELECT_KEK_DAY, [kekId, day])
    for (const { kek_id } of rows) {
      const params = [kek_id as string, day, new Date(createdAtMs), uuidBytes(dekId)]
      const row = (await this.#connection.execute(SELECT_ONE_BY_KEK, params)).first()
      const found = row === null ? null : entryUnder(row, kekVersion)
      if (found !== null) return found
    }
    return null
  }

  async *segmentsOfDek(dekId: string): AsyncGenerator<SegmentEntry> {
    const rows = this.#connection.rows(SELECT_SEGMENTS, [uuidBytes(dekId)])
    for await (const row of rows) {
      const entry = segmentEntry(row)
      if (entry !== null) yield entry
    }
  }

  async findSegment({ dekId, segmentId }: SegmentKey): Promise<SegmentEntry | null> {
    const params = [uuidBytes(dekId), uuidBytes(segmentId)]
    const row = (await this.#connection.execute(SELECT_SEGMENT, params)).first()
    return row === null ? null : segmentEntry(row)
  }

  /** A segment may be written in either mode, or parts of it in each. */
  async *framesOfSegment(segment: RowsKey): AsyncGenerator<FrameColumns> {
    const rows = rowsOfSegment(this.#connection, segment)
    const runs = runsOfSegment(this.#connection, segment)
    for await (const run of mergedRuns(rows, runs)) yield runColumns(run)
  }
}

/** A row of deks_by_kek, which is one for all versions that ever wrapped; null when this one did not. */
function entryUnder(row: types.Row, kekVersion: string | undefined): DekEntry | null {
  const versions: (string | null)[] = [row.kek_version, ...(row.later_versions ?? [])]
  if (kekVersion !== undefined && !versions.includes(kekVersion)) return null
  const first = versions.find((version) => version !== null) ?? null
  return { ...dekEntry(row), kekVersion: kekVersion ?? first }
}

/** A row of deks, deks_by_kek or deks_by_domain. */
export function dekEntry(row: types.Row): DekEntry {
  return {
    dekId: String(row.dek_id),
    keyDomain: row.key_domain,
    kekId: row.kek_id,
    kekVersion: row.kek_version,
    createdAtMs: (row.created_at as Date).getTime(),
  }
}
