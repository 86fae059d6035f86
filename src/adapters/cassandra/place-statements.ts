import { slotOf } from '../../mapping/look-ups.ts'
import type { FrameColumns, OpenedSegment, SourceTotals } from '../../mapping/mapping-store.ts'
import type { CqlStatement } from './connection.ts'
import { uuidBytes } from './ids.ts'

const INSERT_SOURCE =
  'INSERT INTO segments_by_topic (topic, slot, partition, segment_id, dek_id) VALUES (?, ?, ?, ?, ?)'
const INSERT_TOTALS =
  'INSERT INTO segments_by_topic (topic, slot, partition, segment_id, dek_id, first_offset, last_offset, message_count, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'
const INSERT_BLOCK =
  'INSERT INTO segments_by_offset (topic, partition, bucket, block, segment_id, dek_id) VALUES (?, ?, ?, ?, ?, ?)'

const OFFSETS_PER_BLOCK = 4096
/** Blocks of one partition of segments_by_offset. */
export const BLOCKS_PER_BUCKET = 256

/** A node warns of batches over more than 10 partitions, and of more than 5 KiB. */
const PARTITIONS_PER_BATCH = 8
const STATEMENTS_PER_BATCH = 32

/** Where segments_by_offset has the segments that may hold `offset`. */
export function blockOf(offset: number): { readonly bucket: number; readonly block: number } {
  const block = Math.floor(offset / OFFSETS_PER_BLOCK)
  return { bucket: Math.floor(block / BLOCKS_PER_BUCKET), block }
}

/**
 * Batches that name the sources of a segment, and the blocks of offsets that it has frames of, but for
 * those in `noted`; and what they note.
 */
export function placeBatches(
  segment: OpenedSegment,
  frames: FrameColumns,
  noted: ReadonlySet<string>,
): { readonly batches: readonly (readonly CqlStatement[])[]; readonly places: readonly string[] } {
  const batches = new Batches()
  const places: string[] = []
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const slot = new Date(slotOf(segment.createdAtMs))
  const isNew = (place: string) => !noted.has(place) && places.push(place) > 0
  const blocks = blocksBySource(frames)
  for (const [index, { topic, partition }] of frames.sources.entries()) {
    if (blocks[index]?.size === 0 || !isNew(`${topic}/${partition}`)) continue
    const params = [topic, slot, partition, ...ids]
    batches.add(topic, { query: INSERT_SOURCE, params })
  }
  for (const [index, { topic, partition }] of frames.sources.entries()) {
    for (const block of blocks[index] ?? []) {
      if (!isNew(`${topic}/${partition}/${block}`)) continue
      const bucket = Math.floor(block / BLOCKS_PER_BUCKET)
      const params = [topic, partition, bucket, block, ...ids]
      batches.add(`${topic}/${partition}/${bucket}`, { query: INSERT_BLOCK, params })
    }
  }
  return { batches: batches.all, places }
}

/** Batches with the totals of the sources of a segment. */
export function totalsBatches(
  segment: OpenedSegment,
  totals: readonly SourceTotals[],
): readonly (readonly CqlStatement[])[] {
  const batches = new Batches()
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const slot = new Date(slotOf(segment.createdAtMs))
  for (const { topic, partition, firstOffset, lastOffset, messageCount, bytes } of totals) {
    const params = [
      ...[topic, slot, partition, ...ids],
      ...[firstOffset, lastOffset, messageCount, bytes],
    ]
    batches.add(topic, { query: INSERT_TOTALS, params })
  }
  return batches.all
}

/** The blocks of offsets that each source has frames of, in the order of the sources. */
export function blocksBySource({ count, sources, source, offset }: FrameColumns): Set<number>[] {
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
