import { messagesOf } from '../mapping/mapped-messages.ts'
import type {
  FrameColumns,
  MappedMessage,
  MappingReader,
  SegmentEntry,
} from '../mapping/mapping-store.ts'
import { RowDigest } from '../verify/row-digest.ts'

/** How the rows of a segment differ from the frames of its object, in messages. */
export interface RowDifference {
  /** Frames without a row. */
  readonly missing: number
  /** Frames whose row says another place or length. */
  readonly elsewhere: number
  /** Rows for which there is no frame. */
  readonly extra: number
}

/** Nothing differs. */
export const SAME_ROWS: RowDifference = { missing: 0, elsewhere: 0, extra: 0 }

/**
 * Holds the rows of a segment against the frames of its object: by a digest first, and row by row only
 * where that differs. Holds one page of rows, and then some ten bytes a frame. Throws SEAL_MAPPING_*.
 */
export async function compareRows(
  reader: Pick<MappingReader, 'framesOfSegment'>,
  segment: SegmentEntry,
  frames: FrameColumns,
): Promise<RowDifference> {
  const [stored, onRecord] = [new RowDigest(), new RowDigest()]
  stored.addFrames(frames)
  for await (const row of messagesOf(reader, segment)) onRecord.add(row)
  if (onRecord.equals(stored)) return SAME_ROWS
  const matching = new FrameMatching(frames)
  for await (const row of messagesOf(reader, segment)) matching.take(row)
  return matching.difference()
}

const [UNMATCHED, MATCHED, ELSEWHERE] = [0, 1, 2] as const

/** Finds the frame of each row, whatever order they come in. */
class FrameMatching {
  readonly #frames: FrameColumns
  readonly #state: Uint8Array
  /** By place, the numbers of its frames in the order of their offsets. */
  readonly #ordered = new Map<string, Uint32Array>()
  #extra = 0

  constructor(frames: FrameColumns) {
    this.#frames = frames
    this.#state = new Uint8Array(frames.count)
    const bySource = frames.sources.map((): number[] => [])
    for (let i = 0; i < frames.count; i++) bySource[frames.source[i] as number]?.push(i)
    frames.sources.forEach((source, at) => {
      // Two sources of one name would hide each other.
      const numbers = [...(this.#ordered.get(placeOf(source)) ?? []), ...(bySource[at] ?? [])]
      numbers.sort((a, b) => this.#offset(a) - this.#offset(b))
      this.#ordered.set(placeOf(source), Uint32Array.from(numbers))
    })
  }

  take(row: MappedMessage): void {
    const numbers = this.#ordered.get(placeOf(row)) ?? new Uint32Array(0)
    const first = this.#firstFrom(numbers, row.offset)
    let end = first
    let isThere = false
    // A forged index may hold a message twice; the row is that of one of them.
    while (end < numbers.length && this.#offset(numbers[end] as number) === row.offset) {
      isThere ||= this.#isAt(numbers[end] as number, row)
      end++
    }
    if (end === first) this.#extra++
    for (let i = first; i < end; i++) {
      this.#state[numbers[i] as number] = isThere ? MATCHED : ELSEWHERE
    }
  }

  difference(): RowDifference {
    const count = (wanted: number) => this.#state.reduce((sum, one) => sum + +(one === wanted), 0)
    return { missing: count(UNMATCHED), elsewhere: count(ELSEWHERE), extra: this.#extra }
  }

  #firstFrom(numbers: Uint32Array, offset: number): number {
    let [low, high] = [0, numbers.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#offset(numbers[middle] as number) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #offset(frame: number): number {
    return this.#frames.offset[frame] as number
  }

  #isAt(frame: number, { position, length }: MappedMessage): boolean {
    return this.#frames.position[frame] === position && this.#frames.length[frame] === length
  }
}

function placeOf({ topic, partition }: { readonly topic: string; readonly partition: number }) {
  return `${topic}/${partition}`
}
