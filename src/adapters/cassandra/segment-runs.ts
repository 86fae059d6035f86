import type { types } from 'cassandra-driver'
import { isSealError, SealError } from '../../errors.ts'
import { type FrameRun, runsOf } from '../../mapping/frame-runs.ts'
import type { FrameColumns, RowsKey } from '../../mapping/mapping-store.ts'
import { type PackedRun, unpackRun } from '../../mapping/packed-run.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

const SELECT_ROWS =
  'SELECT topic, partition, offset, position, length FROM message_encryption_map WHERE dek_id = ? AND segment_id = ?'
const SELECT_RUNS =
  'SELECT topic, partition, base_offset, last_offset, message_count, packed FROM message_runs WHERE dek_id = ? AND segment_id = ?'

/** Of at most 86 KiB each. */
const RUNS_PER_PAGE = 50

/** What message_encryption_map has of a segment, by topic, partition and rising offset. */
export async function* rowsOfSegment(
  connection: CassandraConnection,
  segment: RowsKey,
): AsyncGenerator<FrameRun> {
  for await (const page of connection.pages(SELECT_ROWS, keyOf(segment))) {
    yield* runsOf(columnsOf(page.filter(hasMessages)))
  }
}

/** What message_runs has of a segment, in the same order; runs may overlap. Throws SEAL_MALFORMED. */
export async function* runsOfSegment(
  connection: CassandraConnection,
  segment: RowsKey,
): AsyncGenerator<FrameRun> {
  for await (const page of connection.pages(SELECT_RUNS, keyOf(segment), RUNS_PER_PAGE)) {
    for (const row of page) if (hasMessages(row)) yield unpacked(row, segment)
  }
}

function keyOf({ rowsDekId, segmentId }: RowsKey): [Buffer, Buffer] {
  return [uuidBytes(rowsDekId), uuidBytes(segmentId)]
}

/** A segment of which nothing is mapped yet has one row of static columns alone. */
function hasMessages(row: types.Row): boolean {
  return row.topic !== null
}

function columnsOf(rows: readonly types.Row[]): FrameColumns {
  const count = rows.length
  const sources: { topic: string; partition: number }[] = []
  const columns = {
    source: new Uint16Array(count),
    offset: new Float64Array(count),
    position: new Float64Array(count),
    length: new Uint32Array(count),
  }
  for (const [i, { topic, partition, ...row }] of rows.entries()) {
    const last = sources.at(-1)
    if (last?.topic !== topic || last?.partition !== partition) sources.push({ topic, partition })
    columns.source[i] = sources.length - 1
    columns.offset[i] = (row.offset as types.Long).toNumber()
    columns.position[i] = (row.position as types.Long).toNumber()
    columns.length[i] = row.length
  }
  return { count, sources, ...columns }
}

function unpacked(row: types.Row, { rowsDekId, segmentId }: RowsKey): FrameRun {
  const { topic, partition, message_count, packed } = row
  const run: PackedRun = {
    baseOffset: (row.base_offset as types.Long).toNumber(),
    lastOffset: (row.last_offset as types.Long).toNumber(),
    count: message_count,
    packed,
  }
  try {
    return unpackRun({ topic, partition }, run)
  } catch (error) {
    if (!isSealError(error)) throw error
    const where = `of ${topic}/${partition} from offset ${run.baseOffset} on, in segment ${segmentId} under DEK ${rowsDekId}`
    const message = `message_runs holds a damaged run ${where} (${error.message})`
    throw new SealError(error.code, message, { cause: error })
  }
}
