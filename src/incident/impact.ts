import type { FrameColumns, SegmentEntry, SegmentState } from '../mapping/mapping-store.ts'
import { type ImpactReader, type ImpactScope, normalScope } from './impact-scope.ts'
import { readAhead } from './read-ahead.ts'
import { hasObject, type ScopedSegment, segmentsInScope } from './scoped-segments.ts'

/** How much of what is in scope was ever protected. */
export interface ImpactSummary {
  readonly deks: number
  /**
   * An intended segment may or may not have left an object; count it in until that is known. A
   * swept one left nothing any more.
   */
  readonly segments: Readonly<Record<SegmentState, number>>
  /** Objects that are known to be there: those of sealed and published segments. */
  readonly objects: number
  readonly messages: number
  /** Of whole objects; of the frames where a topic is in the scope, or an object is not known to be there. */
  readonly bytes: number
  /** false when something may be missing that was sealed before look-ups of this kind were kept. */
  readonly isComplete: boolean
}

/** A page of messages in scope, which are all in one segment. */
export interface ImpactPage extends Pick<ScopedSegment, 'dek' | 'segment'> {
  readonly frames: FrameColumns
}

/** Segments whose rows are counted at a time, and segments whose pages of rows are read at a time. */
const COUNTS_AHEAD = { width: 8, held: 1 }
const PAGES_AHEAD = { width: 8, held: 4 }

/**
 * What is in scope, counted: from sums, and from rows only of segments without. Errors:
 * SEAL_KEY_UNKNOWN and SEAL_SOURCE_UNKNOWN (on no record, which differs from a key that protects
 * nothing), SEAL_INPUT_INVALID (a scope without meaning), SEAL_MAPPING_*. `onSegment` hears of every
 * segment that was counted.
 */
export async function impactOf(
  reader: ImpactReader,
  scope: ImpactScope,
  onSegment: () => void = () => {},
): Promise<ImpactSummary> {
  const wanted = normalScope(scope)
  const segments = { intended: 0, sealed: 0, published: 0, swept: 0, replaced: 0, shredded: 0 }
  const deks = new Set<string>()
  let objects = 0
  let messages = 0
  let bytes = 0
  const counted = readAhead(
    segmentsInScope(reader, wanted, (dek) => deks.add(dek.dekId)),
    (scoped) => sized(reader, scoped, wanted),
    COUNTS_AHEAD,
  )
  for await (const { segment, messageCount, bytes: more } of counted) {
    segments[segment.state] += 1
    objects += hasObject(segment) ? 1 : 0
    messages += messageCount
    bytes += more
    onSegment()
  }
  const isComplete = await isCovered(reader, wanted)
  return { deks: deks.size, segments, objects, messages, bytes, isComplete }
}

/**
 * Every message in scope once, in pages, segment by segment, and by rising offset within a source
 * partition of a segment; in bounded memory. Errors as {@link impactOf}.
 */
export function impactPages(reader: ImpactReader, scope: ImpactScope): AsyncGenerator<ImpactPage> {
  const wanted = normalScope(scope)
  const open = async function* ({ dek, segment }: ScopedSegment): AsyncGenerator<ImpactPage> {
    for await (const page of reader.framesOfSegment(segment)) {
      const frames = framesInScope(page, wanted)
      if (frames.count > 0) yield { dek, segment, frames }
    }
  }
  return readAhead(segmentsInScope(reader, wanted), open, PAGES_AHEAD)
}

/** Keys are found by records of before this release; nothing else is. */
async function isCovered(
  reader: ImpactReader,
  { dekId, kekId, topic }: ImpactScope,
): Promise<boolean> {
  if (topic === undefined && (dekId !== undefined || kekId !== undefined)) return true
  return reader.coverAll()
}

/**
 * A segment that was not seen to end has no totals, but may have rows; these are counted. So are
 * the rows that a writer brought to a swept segment after having been asleep.
 */
async function* sized(
  reader: ImpactReader,
  { segment, totals }: ScopedSegment,
  scope: ImpactScope,
): AsyncGenerator<{ segment: SegmentEntry; messageCount: number; bytes: number }> {
  if (totals !== null) return yield { segment, ...totals }
  let messageCount = 0
  let bytes = 0
  for await (const page of reader.framesOfSegment(segment)) {
    const { count, length } = framesInScope(page, scope)
    messageCount += count
    for (let i = 0; i < count; i++) bytes += length[i] as number
  }
  yield { segment, messageCount, bytes }
}

/** The page itself where all of it is in scope. */
function framesInScope(page: FrameColumns, { topic, partition }: ImpactScope): FrameColumns {
  const isIn = page.sources.map(
    (source) =>
      (topic === undefined || source.topic === topic) &&
      (partition === undefined || source.partition === partition),
  )
  if (!isIn.includes(false)) return page
  const kept: number[] = []
  for (let i = 0; i < page.count; i++) if (isIn[page.source[i] as number]) kept.push(i)
  return {
    count: kept.length,
    sources: page.sources,
    source: Uint16Array.from(kept, (i) => page.source[i] as number),
    offset: Float64Array.from(kept, (i) => page.offset[i] as number),
    position: Float64Array.from(kept, (i) => page.position[i] as number),
    length: Uint32Array.from(kept, (i) => page.length[i] as number),
  }
}
