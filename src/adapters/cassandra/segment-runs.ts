import type { types } from 'cassandra-driver'
import { isSealError, SealError } from '../../errors.ts'
import { type FrameRun, runsOf } from '../../mapping/frame-runs.ts'
import type { FrameColumns, RowsKey } from '../../mapping/mapping-store.ts'
import { type PackedRun, unpackRun } from '../../mapping/packed-run.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { SELECT_FRAMES } from './row-columns.ts'

const SELECT_RUNS =
  'SELECT topic, partition, base_offset, last_offset, message_count, packed FROM message_runs WHERE dek_id = ? AND segment_id = ?'

/** Of at most 86 KiB each. */
const RUNS_PER_PAGE = 50

/**
 * What message_encryption_map has of a segment, by topic, partition and rising offset. Calls for
 * {@link installColumnParser} first.
 */
export async function* rowsOfSegment(
  connection: CassandraConnection,
  segment: RowsKey,
): AsyncGenerator<FrameRun> {
  for await (const page of connection.pages(SELECT_FRAMES, keyOf(segment))) {
    // One for the whole page, see installColumnParser; none when there are no rows at all.
    const [frames] = page as unknown as readonly FrameColumns[]
    if (frames !== undefined) yield* runsOf(frames)
  }
}

/** What message_runs has of a segment, in the same order; runs may overlap. Throws SEAL_MALFORMED. */
export async function* runsOfSegment(
  connection: CassandraConnection,
  segment: RowsKey,
): AsyncGenerator<FrameRun> {
  for await (const page of connection.pages(SELECT_RUNS, keyOf(segment), RUNS_PER_PAGE)) {
    for (const row of page) {
      // A segment whose runs are still to come has one row of static columns alone.
      if (row.topic !== null) yield unpacked(row, segment)
    }
  }
}

function keyOf({ rowsDekId, segmentId }: RowsKey): [Buffer, Buffer] {
  return [uuidBytes(rowsDekId), uuidBytes(segmentId)]
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
