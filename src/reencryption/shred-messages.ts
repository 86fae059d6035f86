import type { CipherEngine } from '../crypto/cipher-engine.ts'
import { isSealError, SealError } from '../errors.ts'
import { type ImpactReader, unknownSource } from '../incident/impact-scope.ts'
import { withSuccessors } from '../incident/scoped-segments.ts'
import type { ShredRemainder } from '../incident/shred.ts'
import type { SegmentEntry } from '../mapping/mapping-store.ts'
import { inspectSegment, type SegmentInspection } from '../reader/segment-inspection.ts'
import { verifySegment } from '../reader/segment-verification.ts'
import { removeOldVersions } from './old-versions.ts'
import { type ReencryptionServices, reencryptSegment } from './segment-reencryption.ts'

/** Messages of one source partition, the last one included. */
export interface MessageRange {
  readonly topic: string
  readonly partition: number
  readonly firstOffset: number
  readonly lastOffset: number
}

/** What a shredding of messages works with. */
export interface MessageShredServices extends ReencryptionServices {
  readonly engine: Pick<CipherEngine, 'create'>
}

/** A segment that may hold messages of the range, under every DEK that it ever was. */
export interface RangeSegment {
  readonly entries: readonly SegmentEntry[]
  readonly objectKey: string
  /** Whether it is published; what is not belongs to a running encryptor, or to a sweep. */
  readonly isPublished: boolean
  /** Messages of the range that it has rows of. */
  readonly messages: number
}

/** What became of the messages. */
export interface MessageShredOutcome {
  readonly segments: number
  readonly messages: number
  /** Segments that were not published and have rows of such messages: they hold them yet. */
  readonly unpublished: readonly string[]
  /** Objects that the register names, and that are not there. */
  readonly gone: number
  readonly remaining: readonly ShredRemainder[]
}

/** Look-ups go by blocks of offsets; none is smaller than this. */
const OFFSETS_PER_LOOK = 256

/**
 * Every segment that may hold messages of the range, once, in no order. Throws SEAL_SOURCE_UNKNOWN
 * when there is none, and SEAL_MAPPING_*.
 */
export async function* segmentsOfRange(
  reader: ImpactReader,
  range: MessageRange,
): AsyncGenerator<RangeSegment> {
  const { topic, partition, firstOffset, lastOffset } = range
  const seen = new Set<string>()
  let isKnown = false
  for (let offset = firstOffset; offset <= lastOffset; offset = nextLook(offset)) {
    for await (const near of reader.segmentsNear({ topic, partition, offset })) {
      const first = await reader.findSegment(near)
      if (first === null) continue
      const entries = await withSuccessors(reader, first, seen)
      const [any] = entries
      if (any === undefined) continue
      const messages = await rowsInRange(reader, any, range)
      if (messages === 0) continue
      isKnown = true
      const isPublished = entries.some(({ state }) => state === 'published')
      yield { entries, objectKey: any.objectKey, isPublished, messages }
    }
  }
  if (isKnown) return
  const offsets = `offsets ${firstOffset} to ${lastOffset}`
  throw unknownSource(`no message of topic "${topic}" partition ${partition}, ${offsets},`)
}

/**
 * Destroys the messages of a range, for good: each segment that holds some is sealed anew, in place,
 * with marks where they were ({@link reencryptSegment}), and its versions of before are removed. The
 * other messages stay where they are, and every reference to them stays good. Done is what the object
 * itself shows, so whoever dies on the way is followed by the next run. Throws as a re-encryption
 * does, SEAL_SOURCE_UNKNOWN, and SEAL_STOPPED.
 */
export async function shredMessages(
  services: MessageShredServices,
  reader: ImpactReader,
  range: MessageRange,
  signal: AbortSignal,
): Promise<MessageShredOutcome> {
  const counts = { segments: 0, messages: 0, gone: 0 }
  const unpublished: string[] = []
  const remaining: ShredRemainder[] = []
  for await (const segment of segmentsOfRange(reader, range)) {
    if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the shredding was stopped')
    const { entries, objectKey, isPublished } = segment
    const isOver = entries.every(({ state }) => state === 'shredded' || state === 'swept')
    if (isOver) continue
    if (!isPublished) {
      unpublished.push(objectKey)
      continue
    }
    const done = await shredIn(services, segment, range)
    if (done === null) counts.gone++
    else {
      counts.segments++
      counts.messages += done.messages
      if (done.remaining !== null) remaining.push(done.remaining)
    }
  }
  return { ...counts, unpublished, remaining }
}

/** null when the object is not there. */
async function shredIn(
  services: MessageShredServices,
  { entries, objectKey }: RangeSegment,
  range: MessageRange,
): Promise<{ messages: number; remaining: ShredRemainder | null } | null> {
  const { patience, objects, inventory } = services
  const base = entries[0] as SegmentEntry
  for (;;) {
    try {
      const inspection = await patience.with(() => inspectSegment(objects, objectKey))
      const { dekId } = inspection.metadata.header
      const shredded = framesOf(inspection, range)
      if (!(await areShredded(services, inspection, shredded))) {
        await reencryptSegment(services, { ...base, dekId, shredded })
        continue
      }
      // Marks that a run before did not come to.
      for (const entry of entries) {
        const isOpen = entry.state === 'published' && entry.dekId !== dekId
        if (isOpen) await reencryptSegment(services, entry)
      }
      const untilMs = await patience.with(() => removeOldVersions(inventory, objectKey))
      const messages = shredded.reduce((sum, one) => sum + one, 0)
      const copy = { object: objectKey, versionId: null, dekId: base.dekId }
      return { messages, remaining: untilMs === null ? null : { ...copy, untilMs } }
    } catch (error) {
      if (isSealError(error, 'SEAL_OBJECT_MISSING')) return null
      if (!isSealError(error, 'SEAL_OBJECT_CHANGED')) throw error
    }
  }
}

/** By frame of the index: 1 for those of the range. The object tells, not the register. */
function framesOf({ footer }: SegmentInspection, range: MessageRange): Uint8Array {
  const { count, source, offset } = footer.index
  const flags = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    const from = footer.sources[source[i] as number]
    const at = offset[i] as number
    const isOfRange =
      from?.topic === range.topic &&
      from.partition === range.partition &&
      at >= range.firstOffset &&
      at <= range.lastOffset
    flags[i] = isOfRange ? 1 : 0
  }
  return flags
}

/** Opens all of the segment: a mark is genuine, or it is none. */
async function areShredded(
  { objects, keys, engine, patience }: MessageShredServices,
  inspection: SegmentInspection,
  chosen: Uint8Array,
): Promise<boolean> {
  const { position } = inspection.footer.index
  return patience.with(async () => {
    const marked = new Set<number>()
    const onShredded = (frame: { readonly position: number }) => void marked.add(frame.position)
    await verifySegment(inspection, { objects, keys, engine, onFrames: () => {}, onShredded })
    return chosen.every((isChosen, i) => isChosen === 0 || marked.has(position[i] as number))
  })
}

async function rowsInRange(
  reader: Pick<ImpactReader, 'framesOfSegment'>,
  entry: SegmentEntry,
  range: MessageRange,
): Promise<number> {
  let count = 0
  for await (const page of reader.framesOfSegment(entry)) {
    for (let i = 0; i < page.count; i++) {
      const from = page.sources[page.source[i] as number]
      const at = page.offset[i] as number
      const isOfRange = from?.topic === range.topic && from.partition === range.partition
      if (isOfRange && at >= range.firstOffset && at <= range.lastOffset) count++
    }
  }
  return count
}

function nextLook(offset: number): number {
  return (Math.floor(offset / OFFSETS_PER_LOOK) + 1) * OFFSETS_PER_LOOK
}
