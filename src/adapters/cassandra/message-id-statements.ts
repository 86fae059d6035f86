import type { FrameColumns, MessageIds, OpenedSegment } from '../../mapping/mapping-store.ts'
import { MESSAGE_ID_HASH_BYTES } from '../../mapping/message-id.ts'
import type { CqlStatement } from './connection.ts'
import { uuidBytes } from './ids.ts'

const INSERT_ID =
  'INSERT INTO messages_by_id (shard, hour, id_hash, topic, partition, offset, segment_id, dek_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'

/** Statements of one batch; all are of one partition, whose size is not bounded by batches. */
const STATEMENTS_PER_BATCH = 250

const HOUR_MS = 60 * 60 * 1000

/** The begin of the hour, as the table names it. */
export function hourOf(atMs: number): number {
  return Math.floor(atMs / HOUR_MS) * HOUR_MS
}

/** The shard of a hash: its first byte. */
export function shardOf(hash: Uint8Array): number {
  return hash[0] as number
}

/** Batches with one row an id, each for one shard. */
export function idBatches(
  segment: OpenedSegment,
  frames: FrameColumns,
  { frame, hash }: MessageIds,
): CqlStatement[][] {
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const hour = new Date(hourOf(segment.createdAtMs))
  const shards = new Map<number, CqlStatement[]>()
  for (let i = 0; i < frame.length; i++) {
    const index = frame[i] as number
    const source = frames.sources[frames.source[index] as number]
    if (source === undefined) continue
    const bytes = Buffer.from(
      hash.subarray(i * MESSAGE_ID_HASH_BYTES, (i + 1) * MESSAGE_ID_HASH_BYTES),
    )
    const shard = shardOf(bytes)
    const place = [source.topic, source.partition, frames.offset[index] as number]
    const statements = shards.get(shard) ?? []
    shards.set(shard, statements)
    statements.push({ query: INSERT_ID, params: [shard, hour, bytes, ...place, ...ids] })
  }
  return [...shards.values()].flatMap((statements) => {
    const batches: CqlStatement[][] = []
    for (let from = 0; from < statements.length; from += STATEMENTS_PER_BATCH) {
      batches.push(statements.slice(from, from + STATEMENTS_PER_BATCH))
    }
    return batches
  })
}
