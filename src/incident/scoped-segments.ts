import { SEGMENT_OPEN_MS_MAX } from '../limits.ts'
import { SLOT_MS, type SourceSegment, type Totals } from '../mapping/look-ups.ts'
import type { DekEntry, SegmentEntry, SegmentKey, SegmentState } from '../mapping/mapping-store.ts'
import {
  dekInScope,
  deksInScope,
  type ImpactReader,
  type ImpactScope,
  unknownSource,
} from './impact-scope.ts'
import { readAhead } from './read-ahead.ts'

/** A segment with something that is asked about. */
export interface ScopedSegment {
  readonly dek: DekEntry
  readonly segment: SegmentEntry
  /** Of what is asked about in it; null where that is not on record as a sum. */
  readonly totals: Totals | null
}

const SLOTS_PER_DAY = (24 * 60 * 60 * 1000) / SLOT_MS

/** Reads of DEKs and slots that are under way at a time, and segments that each of them holds. */
const AHEAD = { width: 16, held: 512 }

/** So few segments of a DEK are asked for one by one, more of them with all that the DEK has. */
const SINGLE_READS_MAX = 8

/** Topics of which something may have been sealed in a slot. */
interface TopicSlot {
  readonly slotMs: number
  readonly topics: ReadonlySet<string>
}

/**
 * Every segment in scope, once: by DEK, oldest first, where the scope names keys alone, else by the
 * slot of its begin. `onDek` hears of every DEK in scope, of one that protects nothing too where keys
 * are named. Errors: SEAL_KEY_UNKNOWN, SEAL_SOURCE_UNKNOWN (on no record, which differs from
 * one that has nothing in scope), SEAL_MAPPING_*.
 */
export function segmentsInScope(
  reader: ImpactReader,
  scope: ImpactScope,
  onDek: (dek: DekEntry) => void = () => {},
): AsyncGenerator<ScopedSegment> {
  const { dekId, kekId, keyDomain, topic } = scope
  const hasKey = dekId !== undefined || kekId !== undefined || keyDomain !== undefined
  return hasKey && topic === undefined
    ? byKey(reader, scope, onDek)
    : bySource(reader, scope, onDek)
}

/** By the intents, so that a segment is found whatever became of it. */
function byKey(
  reader: ImpactReader,
  scope: ImpactScope,
  onDek: (dek: DekEntry) => void,
): AsyncGenerator<ScopedSegment> {
  const open = async function* (dek: DekEntry): AsyncGenerator<ScopedSegment> {
    onDek(dek)
    for await (const segment of reader.segmentsOfDek(dek.dekId)) {
      if (isInTime(segment, scope)) yield { dek, segment, totals: totalsOf(segment) }
    }
  }
  return readAhead(deksInScope(reader, scope), open, AHEAD)
}

/** By the notes that are made before a byte leaves: intents alone have nothing of any source. */
async function* bySource(
  reader: ImpactReader,
  scope: ImpactScope,
  onDek: (dek: DekEntry) => void,
): AsyncGenerator<ScopedSegment> {
  await refuseUnknownKey(reader, scope)
  const slots = await slotsInScope(reader, scope)
  const open = (slot: TopicSlot) => segmentsOfSlot(reader, scope, slot)
  for await (const scoped of readAhead(iterated(slots), open, AHEAD)) {
    onDek(scoped.dek)
    yield scoped
  }
}

async function refuseUnknownKey(reader: ImpactReader, scope: ImpactScope): Promise<void> {
  const { dekId, kekId, keyDomain } = scope
  if (dekId === undefined && kekId === undefined && keyDomain === undefined) return
  for await (const _ of deksInScope(reader, scope)) return
}

/** Every slot in which something in scope may have begun, in order. */
async function slotsInScope(
  reader: ImpactReader,
  { topic, partition, fromMs, toMs }: ImpactScope,
): Promise<TopicSlot[]> {
  const days = new Map<number, Set<string>>()
  const topics = topic === undefined ? reader.topics() : iterated([topic])
  let isKnown = topic === undefined
  for await (const name of topics) {
    for await (const day of reader.sourceDays(name)) {
      if (partition !== undefined && day.partition !== partition) continue
      isKnown = true
      days.set(day.dayMs, (days.get(day.dayMs) ?? new Set()).add(name))
    }
  }
  if (!isKnown) {
    const which = partition === undefined ? '' : ` partition ${partition}`
    throw unknownSource(`no message of topic "${topic}"${which}`)
  }
  const firstMs = (fromMs ?? Number.NEGATIVE_INFINITY) - SEGMENT_OPEN_MS_MAX - SLOT_MS
  return [...days]
    .sort(([a], [b]) => a - b)
    .flatMap(([dayMs, ofDay]) =>
      Array.from({ length: SLOTS_PER_DAY }, (_, slot) => ({
        slotMs: dayMs + slot * SLOT_MS,
        topics: ofDay,
      })),
    )
    .filter(({ slotMs }) => slotMs > firstMs && slotMs < (toMs ?? Number.POSITIVE_INFINITY))
}

async function* segmentsOfSlot(
  reader: ImpactReader,
  scope: ImpactScope,
  { slotMs, topics }: TopicSlot,
): AsyncGenerator<ScopedSegment> {
  const isWhole = scope.topic === undefined
  const deks = dekCache(reader, scope)
  const found = await Promise.all(
    [...topics].map((topic) => all(reader.segmentsOfTopic(topic, slotMs, scope.partition))),
  )
  const seen = new Set<string>()
  const open = async function* ([dekId, wanted]: DekSegments): AsyncGenerator<ScopedSegment> {
    for await (const first of entriesOf(reader, dekId, wanted)) {
      for (const segment of await withSuccessors(reader, first, seen)) {
        const dek = await deks(segment.dekId)
        if (dek === null || !isInTime(segment, scope)) continue
        const { hasSums } = STATES[segment.state]
        const ofSources = hasSums ? (wanted.get(segment.segmentId) ?? null) : null
        yield { dek, segment, totals: isWhole ? totalsOf(segment) : ofSources }
      }
    }
  }
  yield* readAhead(iterated(byDek(found.flat())), open, AHEAD)
}

/** DEKs by their ids, each read once; null stands for those that are not in scope. */
function dekCache(
  reader: ImpactReader,
  scope: ImpactScope,
): (dekId: string) => Promise<DekEntry | null> {
  const known = new Map<string, Promise<DekEntry | null>>()
  const read = async (dekId: string) =>
    dekInScope(reader, (await reader.findDek(dekId)) ?? unrecorded(dekId), scope)
  return (dekId) => {
    const found = known.get(dekId) ?? read(dekId)
    known.set(dekId, found)
    return found
  }
}

/** The segment under this DEK, and under every other that it was re-encrypted under since. */
export async function withSuccessors(
  reader: Pick<ImpactReader, 'findSegment'>,
  first: SegmentEntry,
  seen: Set<string>,
): Promise<readonly SegmentEntry[]> {
  const found: SegmentEntry[] = []
  const open: SegmentEntry[] = [first]
  for (let segment = open.pop(); segment !== undefined; segment = open.pop()) {
    const { dekId, segmentId, successors } = segment
    if (seen.has(`${dekId}/${segmentId}`)) continue
    seen.add(`${dekId}/${segmentId}`)
    found.push(segment)
    const keys = successors.map((successor) => ({ dekId: successor, segmentId }))
    const next = await Promise.all(keys.map((key) => reader.findSegment(key)))
    open.push(...next.filter((one) => one !== null))
  }
  return found
}

/** The segments of a DEK that have messages of the sources in scope, and how many. */
type DekSegments = readonly [dekId: string, wanted: ReadonlyMap<string, Totals | null>]

/** By DEK and segment, the sum over sources; null where one of them has none. */
function byDek(found: readonly SourceSegment[]): Map<string, Map<string, Totals | null>> {
  const deks = new Map<string, Map<string, Totals | null>>()
  for (const { dekId, segmentId, totals } of found) {
    const segments = deks.get(dekId) ?? new Map<string, Totals | null>()
    deks.set(dekId, segments)
    const before = segments.get(segmentId)
    if (before === null || totals === null) segments.set(segmentId, null)
    else {
      const messageCount = (before?.messageCount ?? 0) + totals.messageCount
      segments.set(segmentId, { messageCount, bytes: (before?.bytes ?? 0) + totals.bytes })
    }
  }
  return deks
}

async function* entriesOf(
  reader: ImpactReader,
  dekId: string,
  wanted: ReadonlyMap<string, unknown>,
): AsyncGenerator<SegmentEntry> {
  if (wanted.size > SINGLE_READS_MAX) {
    for await (const segment of reader.segmentsOfDek(dekId)) {
      if (wanted.has(segment.segmentId)) yield segment
    }
    return
  }
  const keys: SegmentKey[] = [...wanted.keys()].map((segmentId) => ({ dekId, segmentId }))
  for (const segment of await Promise.all(keys.map((key) => reader.findSegment(key)))) {
    if (segment !== null) yield segment
  }
}

/**
 * A segment that was not seen to end may have been open for as long as there is. One that was
 * re-encrypted keeps its begin, and its messages came before that long was over.
 */
function isInTime(
  { createdAtMs, sealedAtMs }: SegmentEntry,
  { fromMs, toMs }: ImpactScope,
): boolean {
  const latestMs = createdAtMs + SEGMENT_OPEN_MS_MAX
  const endMs = Math.min(sealedAtMs ?? latestMs, latestMs)
  return createdAtMs < (toMs ?? Number.POSITIVE_INFINITY) && endMs >= (fromMs ?? 0)
}

/**
 * What is known of segments by their state: whether their object is there, and whether sums say what
 * the DEK protected; otherwise rows do, as far as there are any.
 */
const STATES: Readonly<Record<SegmentState, { hasObject: boolean; hasSums: boolean }>> = {
  intended: { hasObject: false, hasSums: false },
  sealed: { hasObject: true, hasSums: true },
  published: { hasObject: true, hasSums: true },
  swept: { hasObject: false, hasSums: false },
  // The object is there, but under another DEK.
  replaced: { hasObject: false, hasSums: true },
  shredded: { hasObject: false, hasSums: true },
}

/** Whether the segment is known to have left an object that is still there, under its DEK. */
export function hasObject({ state }: Pick<SegmentEntry, 'state'>): boolean {
  return STATES[state].hasObject
}

function totalsOf(segment: SegmentEntry): Totals | null {
  const { messageCount, bytes } = segment
  if (!STATES[segment.state].hasSums || messageCount === null || bytes === null) return null
  return { messageCount, bytes }
}

/** A DEK that sealed and whose record is lost: what it sealed must be told all the same. */
function unrecorded(dekId: string): DekEntry {
  return { dekId, keyDomain: '', kekId: '', kekVersion: null, createdAtMs: 0 }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function* iterated<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}
