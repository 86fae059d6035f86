import type { types } from 'cassandra-driver'
import { slotOf } from '../../mapping/look-ups.ts'
import type { FrameColumns, OpenedSegment, SourceTotals } from '../../mapping/mapping-store.ts'
import { SourceCounts } from '../../mapping/source-counts.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { BLOCKS_PER_BUCKET, blocksBySource } from './place-statements.ts'

const SELECT_TOTALS =
  'SELECT partition, message_count, bytes FROM segments_by_topic WHERE topic = ? AND slot = ? AND partition IN ? AND segment_id = ? AND dek_id = ?'
const SELECT_BLOCKS =
  'SELECT block FROM segments_by_offset WHERE topic = ? AND partition = ? AND bucket = ? AND block IN ? AND segment_id = ? AND dek_id = ?'

/** Counts the notes of a segment by topic and by offset that are not there, or say other totals. */
export async function missingPlaces(
  connection: CassandraConnection,
  segment: OpenedSegment,
  frames: FrameColumns,
): Promise<number> {
  const byTopic = Map.groupBy(new SourceCounts().add(frames).all(), ({ topic }) => topic)
  const missing = await Promise.all([
    ...[...byTopic.values()].map((totals) => missingTotals(connection, segment, totals)),
    ...bucketsOf(frames).map((bucket) => missingBlocks(connection, segment, bucket)),
  ])
  return missing.reduce((sum, count) => sum + count, 0)
}

async function missingTotals(
  connection: CassandraConnection,
  segment: OpenedSegment,
  totals: readonly SourceTotals[],
): Promise<number> {
  const [topic, slot] = [totals[0]?.topic ?? '', new Date(slotOf(segment.createdAtMs))]
  const partitions = totals.map(({ partition }) => partition)
  const params = [topic, slot, partitions, ...idsOf(segment)]
  const { rows } = await connection.execute(SELECT_TOTALS, params)
  const onRecord = new Map(rows.map((row) => [row.partition as number, row]))
  return totals.filter(({ partition, messageCount, bytes }) => {
    const row = onRecord.get(partition)
    const isSame = (row?.bytes as types.Long | null | undefined)?.toNumber() === bytes
    return !isSame || row?.message_count !== messageCount
  }).length
}

interface Bucket {
  readonly topic: string
  readonly partition: number
  readonly bucket: number
  readonly blocks: readonly number[]
}

function bucketsOf(frames: FrameColumns): Bucket[] {
  return blocksBySource(frames).flatMap((blocks, index) => {
    const { topic, partition } = frames.sources[index] as Bucket
    const byBucket = Map.groupBy(blocks, (block) => Math.floor(block / BLOCKS_PER_BUCKET))
    return [...byBucket].map(([bucket, ofIt]) => ({ topic, partition, bucket, blocks: ofIt }))
  })
}

async function missingBlocks(
  connection: CassandraConnection,
  segment: OpenedSegment,
  { topic, partition, bucket, blocks }: Bucket,
): Promise<number> {
  const params = [topic, partition, bucket, blocks, ...idsOf(segment)]
  const { rowLength } = await connection.execute(SELECT_BLOCKS, params)
  return blocks.length - rowLength
}

function idsOf({ segmentId, dekId }: OpenedSegment) {
  return [uuidBytes(segmentId), uuidBytes(dekId)] as const
}
