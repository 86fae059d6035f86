import type { FrameColumns, OpenedSegment, SourceTotals } from '../../mapping/mapping-store.ts'
import type { CqlStatement } from './connection.ts'
import { uuidBytes } from './ids.ts'

const INSERT_SOURCE =
  'INSERT INTO segments_by_source (topic, partition, hour, segment_id, dek_id) VALUES (?, ?, ?, ?, ?)'
const INSERT_TOTALS =
  'INSERT INTO segments_by_source (topic, partition, hour, segment_id, dek_id, first_offset, last_offset, message_count, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'
const INSERT_BLOCK =
  'INSERT INTO segments_by_offset (topic, partition, bucket, block, segment_id, dek_id) VALUES (?, ?, ?, ?, ?, ?)'

const HOUR_MS = 60 * 60 * 1000
const OFFSETS_PER_BLOCK = 256
const BLOCKS_PER_BUCKET = 4096

/** A node warns of batches over more than 10 partitions, and of more than 5 KiB. */
const PARTITIONS_PER_BATCH = 8
const STATEMENTS_PER_BATCH = 32

/** The begin of the hour, as the tables name it. */
export function hourOf(atMs: number): number {
  return Math.floor(atMs / HOUR_MS) * HOUR_MS
}

/** Where segments_by_offset has the segments that may hold `offset`. */
export function blockOf(offset: number): { readonly bucket: number; readonly block: number } {
  const block = Math.floor(offset / OFFSETS_PER_BLOCK)
  return { bucket: Math.floor(block / BLOCKS_PER_BUCKET), block }
}

/** Batches that name the sources of a segment, and the blocks of offsets that it has frames of. */
export function placeBatches(segment: OpenedSegment, frames: FrameColumns): CqlStatement[][] {
  const batches = new Batches()
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const hour = new Date(hourOf(segment.createdAtMs))
  for (const [index, blocks] of blocksBySource(frames).entries()) {
    const source = frames.sources[index]
    if (source === undefined || blocks.size === 0) continue
    const place = [source.topic, source.partition] as const
    batches.add(`${index}`, { query: INSERT_SOURCE, params: [...place, hour, ...ids] })
    for (const block of blocks) {
      const bucket = Math.floor(block / BLOCKS_PER_BUCKET)
      const params = [...place, bucket, block, ...ids]
      batches.add(`${index}/${bucket}`, { query: INSERT_BLOCK, params })
    }
  }
  return batches.all
}

/** Batches with the totals of the sources of a segment. */
export function totalsBatches(
  segment: OpenedSegment,
  totals: readonly SourceTotals[],
): CqlStatement[][] {
  const batches = new Batches()
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const hour = new Date(hourOf(segment.createdAtMs))
  for (const { topic, partition, firstOffset, lastOffset, messageCount, bytes } of totals) {
    const params = [
      ...[topic, partition, hour, ...ids],
      ...[firstOffset, lastOffset, messageCount, bytes],
    ]
    batches.add(`${topic}/${partition}`, { query: INSERT_TOTALS, params })
  }
  return batches.all
}

function blocksBySource({ count, sources, source, offset }: FrameColumns): Set<number>[] {
  const blocks = sources.map(() => new Set<number>())
  for (let i = 0; i < count; i++) {
    blocks[source[i] as number]?.add(Math.floor((offset[i] as number) / OFFSETS_PER_BLOCK))
  }
  return blocks
}

/** Statements in batches that a node takes without a warning. */
class Batches {
  readonly all: CqlStatement[][] = []
  #partitions = new Set<string>()

  add(partition: string, statement: CqlStatement): void {
    const current = this.all.at(-1)
    const isFull =
      current === undefined ||
      current.length >= STATEMENTS_PER_BATCH ||
      (this.#partitions.size >= PARTITIONS_PER_BATCH && !this.#partitions.has(partition))
    if (isFull) {
      this.all.push([statement])
      this.#partitions = new Set([partition])
    } else {
      current.push(statement)
      this.#partitions.add(partition)
    }
  }
}
