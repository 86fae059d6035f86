import { runsOf } from '../../mapping/frame-runs.ts'
import type { FrameColumns } from '../../mapping/mapping-store.ts'
import { packRun } from '../../mapping/packed-run.ts'
import type { CqlStatement } from './connection.ts'

const INSERT_RUN =
  'INSERT INTO message_runs (dek_id, segment_id, topic, partition, base_offset, last_offset, message_count, packed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'

/** A node takes a mutation of up to half a commit log segment, 16 MiB; large ones only make it wait. */
const BATCH_RUNS_MAX = 250
const BATCH_BYTES_MAX = 128 * 1024

/** Runs of the frames as statements, in batches for one mutation each. At least one batch, if empty. */
export function* runBatches(
  dekId: Buffer,
  segmentId: Buffer,
  frames: FrameColumns,
): Generator<CqlStatement[]> {
  let batch: CqlStatement[] = []
  let bytes = 0
  for (const run of runsOf(frames)) {
    const { topic, partition } = run
    const { baseOffset, lastOffset, count, packed } = packRun(run)
    if (batch.length === BATCH_RUNS_MAX || bytes + packed.length > BATCH_BYTES_MAX) {
      yield batch
      batch = []
      bytes = 0
    }
    const params = [dekId, segmentId, topic, partition, baseOffset, lastOffset, count, packed]
    batch.push({ query: INSERT_RUN, params })
    bytes += packed.length
  }
  yield batch
}
