import { slotOf } from '../../mapping/look-ups.ts'
import type { FrameColumns, OpenedSegment, SourceTotals } from '../../mapping/mapping-store.ts'
import type { PartitionWrite } from './gathered-writes.ts'
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

/** Where segments_by_offset has the segments that may hold `offset`. */
export function blockOf(offset: number): { readonly bucket: number; readonly block: number } {
  const block = Math.floor(offset / OFFSETS_PER_BLOCK)
  return { bucket: Math.floor(block / BLOCKS_PER_BUCKET), block }
}

/**
 * Writes that name the sources of a segment, and the blocks of offsets that it has frames of, but for
 * those in `noted`; and what they note.
 */
export function placeWrites(
  segment: OpenedSegment,
  frames: FrameColumns,
  noted: ReadonlySet<string>,
): { readonly writes: readonly PartitionWrite[]; readonly places: readonly string[] } {
  const writes: PartitionWrite[] = []
  const places: string[] = []
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const slot = new Date(slotOf(segment.createdAtMs))
  const isNew = (place: string) => !noted.has(place) && places.push(place) > 0
  const blocks = blocksBySource(frames)
  for (const [index, { topic, partition }] of frames.sources.entries()) {
    if (blocks[index]?.size === 0 || !isNew(`${topic}/${partition}`)) continue
    const params = [topic, slot, partition, ...ids]
    writes.push({
      partition: `${topic}@${slot.getTime()}`,
      statement: { query: INSERT_SOURCE, params },
    })
  }
  for (const [index, { topic, partition }] of frames.sources.entries()) {
    for (const block of blocks[index] ?? []) {
      if (!isNew(`${topic}/${partition}/${block}`)) continue
      const bucket = Math.floor(block / BLOCKS_PER_BUCKET)
      const params = [topic, partition, bucket, block, ...ids]
      const statement = { query: INSERT_BLOCK, params }
      writes.push({ partition: `${topic}/${partition}/${bucket}`, statement })
    }
  }
  return { writes, places }
}

/** Writes of the totals of the sources of a segment. */
export function totalsWrites(
  segment: OpenedSegment,
  totals: readonly SourceTotals[],
): readonly PartitionWrite[] {
  const ids = [uuidBytes(segment.segmentId), uuidBytes(segment.dekId)] as const
  const slot = new Date(slotOf(segment.createdAtMs))
  return totals.map(({ topic, partition, firstOffset, lastOffset, messageCount, bytes }) => {
    const place = [topic, slot, partition, ...ids]
    const params = [...place, firstOffset, lastOffset, messageCount, bytes]
    return { partition: `${topic}@${slot.getTime()}`, statement: { query: INSERT_TOTALS, params } }
  })
}

/** The blocks of offsets that each source has frames of, in the order of the sources. */
export function blocksBySource({ count, sources, source, offset }: FrameColumns): Set<number>[] {
  const blocks = sources.map(() => new Set<number>())
  for (let i = 0; i < count; i++) {
    blocks[source[i] as number]?.add(Math.floor((offset[i] as number) / OFFSETS_PER_BLOCK))
  }
  return blocks
}
