import { randomUUID } from 'node:crypto'
import type { FrameColumns } from '../src/mapping/mapping-store.ts'
import { frameBytesOf } from '../src/segment/part-buffer.ts'

/** One part of a made-up segment, as a worker thread maps it. */
export interface MappedPart {
  readonly dekId: string
  readonly segmentId: string
  readonly frames: FrameColumns
}

const SOURCES = 4
const PART_BYTES = 8 * 1024 * 1024
/** As the road closes segments by default. */
const SEGMENT_MESSAGES = 20_000
const SEGMENT_HEADER_BYTES = 160
const VALUE_BYTES = 1024
const VALUE_BYTES_SPREAD = 128

/**
 * Parts of segments whose messages come from four partitions, `stretch` messages of one before those
 * of the next, of 1 KiB give or take an eighth: equal lengths would pack better than those of life.
 */
export function mappedParts(messages: number, stretch: number): MappedPart[] {
  const parts: MappedPart[] = []
  const random = randomNumbers()
  const sources = Array.from({ length: SOURCES }, (_, partition) => ({ topic: 'bench', partition }))
  const offsets = new Float64Array(SOURCES).fill(1_000_000_000)
  for (let left = messages; left > 0; left -= SEGMENT_MESSAGES) {
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    let position = SEGMENT_HEADER_BYTES
    let inSegment = Math.min(left, SEGMENT_MESSAGES)
    while (inSegment > 0) {
      const begin = position
      const frames: [source: number, position: number, length: number][] = []
      for (; inSegment > 0 && position - begin < PART_BYTES; inSegment--) {
        const value = VALUE_BYTES - VALUE_BYTES_SPREAD + (random() % (2 * VALUE_BYTES_SPREAD))
        const length = frameBytesOf(value)
        frames.push([Math.floor(inSegment / stretch) % SOURCES, position, length])
        position += length
      }
      parts.push({ ...segment, frames: columnsOf(frames, sources, offsets) })
    }
  }
  return parts
}

function columnsOf(
  frames: readonly [source: number, position: number, length: number][],
  sources: FrameColumns['sources'],
  offsets: Float64Array,
): FrameColumns {
  const next = (source: number) => {
    offsets[source] = (offsets[source] as number) + 1
    return offsets[source] as number
  }
  return {
    count: frames.length,
    sources,
    source: Uint16Array.from(frames, ([source]) => source),
    offset: Float64Array.from(frames, ([source]) => next(source)),
    position: Float64Array.from(frames, ([, position]) => position),
    length: Uint32Array.from(frames, ([, , length]) => length),
  }
}

/** The same numbers in every run (a linear congruential generator; its high bits). */
function randomNumbers(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 8
  }
}
