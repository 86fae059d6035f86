import type { MessageCoordinates } from '../../src/format/message.ts'
import type { DekRecord, KeyStore } from '../../src/keys/key-store.ts'
import type { WrapRegister } from '../../src/keys/wrap-register.ts'
import {
  type LookUps,
  type MessageInSegment,
  type SourceDay,
  type SourceSegment,
  slotOf,
  type Totals,
} from '../../src/mapping/look-ups.ts'
import { messagesIn } from '../../src/mapping/mapped-messages.ts'
import type {
  DekEntry,
  FrameColumns,
  MappedMessage,
  MappingReader,
  MappingWriter,
  MessageIds,
  OpenedSegment,
  Replaced,
  RowsKey,
  SegmentEntry,
  SegmentIntent,
  SegmentKey,
  SegmentState,
  SegmentSummary,
  SourceTotals,
} from '../../src/mapping/mapping-store.ts'
import { MESSAGE_ID_HASH_BYTES } from '../../src/mapping/message-id.ts'
import type { SegmentRegister } from '../../src/mapping/segment-register.ts'
import type {
  ReplacementIntent,
  SegmentReplacements,
} from '../../src/mapping/segment-replacements.ts'
import type { ShredRegister } from '../../src/mapping/shred-register.ts'
import { SourceCounts } from '../../src/mapping/source-counts.ts'
import { columnsOf } from './frame-columns.ts'

/** Small, so that tests with few rows see several pages. */
const PAGE_ROWS = 3

const DAY_MS = 86_400_000
const OFFSETS_PER_BLOCK = 256

/** What a segment has of one source. */
interface Place {
  readonly topic: string
  readonly partition: number
  readonly slotMs: number
  readonly segment: SegmentKey
  readonly blocks: Set<number>
  totals: Totals | null
}

interface SegmentRecord {
  intent?: SegmentIntent
  summary?: SegmentSummary
  publishedAtMs?: number
  sweptAtMs?: number
  replacing?: ReplacementIntent
  replaced?: Replaced
  shreddedAtMs?: number
  readonly successors: Set<string>
  readonly rows: Map<string, MappedMessage>
}

/** The mapping store in memory, held to the same contract as the one over Cassandra. */
export class MemoryMappingStore
  implements
    MappingWriter,
    MappingReader,
    LookUps,
    SegmentRegister,
    SegmentReplacements,
    ShredRegister,
    KeyStore,
    WrapRegister
{
  /** What {@link coverAll} says. */
  coversAll = true
  readonly #deks = new Map<string, DekRecord>()
  /** By KEK and DEK: every version that ever wrapped. */
  readonly #wraps = new Map<string, Map<string, (string | null)[]>>()
  readonly #segments = new Map<string, Map<string, SegmentRecord>>()
  /** By DEK, segment and source. */
  readonly #places = new Map<string, Place>()
  /** By hash in hex, DEK and coordinates. */
  readonly #ids = new Map<string, MessageInSegment>()
  /** DEKs to which their KEK does not lead, until they are recorded again. */
  readonly unlisted = new Set<string>()
  /** The same of their key domain. */
  readonly undomained = new Set<string>()
  /** Calls that wrote something. */
  writes = 0

  async recordDek(dek: DekRecord): Promise<void> {
    this.writes++
    this.unlisted.delete(dek.dekId)
    this.undomained.delete(dek.dekId)
    this.#deks.set(dek.dekId, { ...dek, wrapped: dek.wrapped.slice() })
    await this.noteWrap(dek)
  }

  async find(dekId: string): Promise<DekRecord | null> {
    return this.#deks.get(dekId) ?? null
  }

  async noteWrap({ dekId, kekId, kekVersion }: DekRecord): Promise<void> {
    const ofKek = this.#wraps.get(kekId) ?? new Map<string, (string | null)[]>()
    this.#wraps.set(kekId, ofKek)
    ofKek.set(dekId, [...(ofKek.get(dekId) ?? []), kekVersion])
  }

  async replaceWrap(dek: DekRecord, expected: Uint8Array): Promise<boolean> {
    const found = this.#deks.get(dek.dekId)
    if (found === undefined) return false
    if (Buffer.compare(found.wrapped, dek.wrapped) === 0) return true
    if (Buffer.compare(found.wrapped, expected) !== 0) return false
    const { kekId, kekVersion, wrapped } = dek
    this.#deks.set(dek.dekId, { ...found, kekId, kekVersion, wrapped: wrapped.slice() })
    return true
  }

  async recordIntent(intent: SegmentIntent): Promise<void> {
    this.writes++
    this.#segment(intent).intent = { ...intent }
  }

  async writeRows(segment: SegmentKey, _objectKey: string, frames: FrameColumns): Promise<void> {
    this.writes++
    const { rows } = this.#segment(segment)
    for (let i = 0; i < frames.count; i++) {
      const { topic, partition } = frames.sources[frames.source[i] as number] as {
        topic: string
        partition: number
      }
      const offset = frames.offset[i] as number
      const position = frames.position[i] as number
      const length = frames.length[i] as number
      const row = { topic, partition, offset, position, length }
      rows.set(`${topic} ${partition} ${offset}`, row)
    }
  }

  async recordPlaces(segment: OpenedSegment, frames: FrameColumns): Promise<void> {
    for (const { topic, partition, offset } of messagesIn(frames)) {
      this.#place(segment, topic, partition).blocks.add(Math.floor(offset / OFFSETS_PER_BLOCK))
    }
  }

  async recordMessageIds(
    { dekId, segmentId }: OpenedSegment,
    frames: FrameColumns,
    { frame, hash }: MessageIds,
  ): Promise<void> {
    const messages = [...messagesIn(frames)]
    for (const [i, index] of frame.entries()) {
      const { topic, partition, offset } = messages[index] as MappedMessage
      const bytes = hash.subarray(i * MESSAGE_ID_HASH_BYTES, (i + 1) * MESSAGE_ID_HASH_BYTES)
      const name = `${Buffer.from(bytes).toString('hex')} ${dekId} ${topic} ${partition} ${offset}`
      this.#ids.set(name, { dekId, segmentId, topic, partition, offset })
    }
  }

  async recordTotals(segment: OpenedSegment, totals: readonly SourceTotals[]): Promise<void> {
    for (const { topic, partition, messageCount, bytes } of totals) {
      this.#place(segment, topic, partition).totals = { messageCount, bytes }
    }
  }

  async recordSealed(summary: SegmentSummary): Promise<void> {
    this.writes++
    this.#segment(summary).summary = { ...summary }
  }

  async recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void> {
    this.writes++
    this.#segment(segment).publishedAtMs = publishedAtMs
  }

  async recordDue(): Promise<void> {}

  async recordReplacing(intent: ReplacementIntent): Promise<void> {
    const { dekId, segmentId, objectKey, createdAtMs } = intent
    const segment = this.#segment(intent)
    segment.intent = { dekId, segmentId, objectKey, createdAtMs }
    segment.replacing = { ...intent }
    const before = { dekId: intent.replacesDekId, segmentId: intent.segmentId }
    this.#segment(before).successors.add(intent.dekId)
  }

  async recordReplaced(segment: SegmentKey, replaced: Replaced): Promise<void> {
    this.#segment(segment).replaced = { ...replaced }
  }

  async findDek(dekId: string): Promise<DekEntry | null> {
    const dek = this.#deks.get(dekId)
    return dek === undefined ? null : entryOf(dek)
  }

  async *deksOfKek(kekId: string, kekVersion?: string): AsyncGenerator<DekEntry> {
    const found = [...this.#wraps]
      .filter(([name]) => name === kekId || name.endsWith(`/${kekId}`))
      .flatMap(([name, deks]) => [...deks].map(([dekId, versions]) => ({ name, dekId, versions })))
      .filter(({ dekId }) => !this.unlisted.has(dekId) && this.#deks.has(dekId))
      .filter(({ versions }) => kekVersion === undefined || versions.includes(kekVersion))
      .map(({ name, dekId, versions }) => ({
        ...entryOf(this.#deks.get(dekId) as DekRecord),
        kekId: name,
        kekVersion: kekVersion ?? versions.find((version) => version !== null) ?? null,
      }))
      .sort((a, b) => a.createdAtMs - b.createdAtMs)
    yield* found
  }

  async dekUnder(dek: DekEntry, kekId: string, kekVersion?: string): Promise<DekEntry | null> {
    for await (const one of this.deksOfKek(kekId, kekVersion)) {
      if (one.dekId === dek.dekId) return one
    }
    return null
  }

  async *segmentsOfDek(dekId: string): AsyncGenerator<SegmentEntry> {
    for (const record of this.#segments.get(dekId)?.values() ?? []) {
      if (record.intent !== undefined) yield segmentEntryOf(record.intent, record)
    }
  }

  async coverAll(): Promise<boolean> {
    return this.coversAll
  }

  async *keyDomains(): AsyncGenerator<string> {
    yield* new Set([...this.#deks.values()].map(({ keyDomain }) => keyDomain))
  }

  async *deksOfDomain(keyDomain: string): AsyncGenerator<DekEntry> {
    const found = [...this.#deks.values()]
      .filter((dek) => dek.keyDomain === keyDomain)
      .sort((a, b) => a.createdAtMs - b.createdAtMs)
    for (const dek of found) if (!this.undomained.has(dek.dekId)) yield entryOf(dek)
  }

  async *topics(): AsyncGenerator<string> {
    yield* new Set([...this.#places.values()].map(({ topic }) => topic))
  }

  async *sourceDays(topic: string): AsyncGenerator<SourceDay> {
    const days = [...this.#places.values()]
      .filter((place) => place.topic === topic)
      .map(({ partition, slotMs }) => ({ partition, dayMs: slotMs - (slotMs % DAY_MS) }))
    const distinct = new Map(days.map((day) => [`${day.dayMs}/${day.partition}`, day]))
    yield* [...distinct.values()].sort((a, b) => a.dayMs - b.dayMs || a.partition - b.partition)
  }

  async *segmentsOfTopic(
    topic: string,
    slotMs: number,
    partition?: number,
  ): AsyncGenerator<SourceSegment> {
    for (const place of this.#places.values()) {
      const isIt = place.topic === topic && place.slotMs === slotMs
      if (!isIt || (partition ?? place.partition) !== place.partition) continue
      yield { ...place.segment, partition: place.partition, totals: place.totals }
    }
  }

  async *segmentsNear({
    topic,
    partition,
    offset,
  }: MessageCoordinates): AsyncGenerator<SegmentKey> {
    const block = Math.floor(offset / OFFSETS_PER_BLOCK)
    for (const place of this.#places.values()) {
      const isIt = place.topic === topic && place.partition === partition
      if (isIt && place.blocks.has(block)) yield place.segment
    }
  }

  async findSegment({ dekId, segmentId }: SegmentKey): Promise<SegmentEntry | null> {
    const record = this.#segments.get(dekId)?.get(segmentId)
    return record?.intent === undefined ? null : segmentEntryOf(record.intent, record)
  }

  async missingPlaces(segment: OpenedSegment, frames: FrameColumns): Promise<number> {
    const { dekId, segmentId } = segment
    const find = (topic: string, partition: number) =>
      this.#places.get(`${dekId} ${segmentId} ${topic} ${partition}`)
    let missing = 0
    for (const { topic, partition, messageCount, bytes } of new SourceCounts().add(frames).all()) {
      const totals = find(topic, partition)?.totals
      if (totals?.messageCount !== messageCount || totals.bytes !== bytes) missing++
    }
    const blocks = new Set<string>()
    for (const { topic, partition, offset } of messagesIn(frames)) {
      const block = Math.floor(offset / OFFSETS_PER_BLOCK)
      if (!find(topic, partition)?.blocks.has(block)) blocks.add(`${topic} ${partition} ${block}`)
    }
    return missing + blocks.size
  }

  /** Forgets by which sources and offsets a segment is found. */
  losePlaces({ dekId, segmentId }: SegmentKey): void {
    for (const name of this.#places.keys()) {
      if (name.startsWith(`${dekId} ${segmentId} `)) this.#places.delete(name)
    }
  }

  async findMessage(
    { rowsDekId, segmentId }: RowsKey,
    { topic, partition, offset }: MessageCoordinates,
  ): Promise<MappedMessage | null> {
    const rows = this.#segments.get(rowsDekId)?.get(segmentId)?.rows
    return rows?.get(`${topic} ${partition} ${offset}`) ?? null
  }

  async *messagesWithId(hash: Uint8Array): AsyncGenerator<MessageInSegment> {
    const wanted = Buffer.from(hash).toString('hex')
    for (const [name, at] of this.#ids) if (name.startsWith(wanted)) yield at
  }

  async *segments(): AsyncGenerator<SegmentEntry> {
    for (const dekId of this.#segments.keys()) yield* this.segmentsOfDek(dekId)
  }

  async markSwept(segment: SegmentKey, sweptAtMs: number): Promise<void> {
    const record = this.#segment(segment)
    record.rows.clear()
    record.sweptAtMs = sweptAtMs
  }

  async destroyWrap(dekId: string): Promise<void> {
    const found = this.#deks.get(dekId)
    if (found !== undefined) this.#deks.set(dekId, { ...found, wrapped: Buffer.alloc(0) })
  }

  async markShredded(segment: SegmentKey, atMs: number): Promise<void> {
    this.#segment(segment).shreddedAtMs = atMs
  }

  /** The record of a DEK with its wrapped key. */
  async onRecord(dekId: string): Promise<DekRecord | null> {
    return this.#deks.get(dekId) ?? null
  }

  /** Forgets the record of a DEK. */
  loseDek(dekId: string): void {
    this.#deks.delete(dekId)
  }

  /** Forgets a part of what is on record of a segment. */
  lose(segment: SegmentKey, part: 'intent' | 'summary' | 'publishedAtMs'): void {
    delete this.#segment(segment)[part]
  }

  /** Forgets rows, or puts others in their place. */
  alterRows(segment: SegmentKey, alter: (row: MappedMessage) => MappedMessage | null): void {
    const { rows } = this.#segment(segment)
    for (const [name, row] of [...rows]) {
      const altered = alter(row)
      rows.delete(name)
      if (altered !== null) rows.set(name, altered)
    }
  }

  async *framesOfSegment({ rowsDekId, segmentId }: RowsKey): AsyncGenerator<FrameColumns> {
    const found = this.#segments.get(rowsDekId)?.get(segmentId)?.rows.values() ?? []
    const rows = [...found].sort(
      (a, b) =>
        Buffer.compare(Buffer.from(a.topic), Buffer.from(b.topic)) ||
        a.partition - b.partition ||
        a.offset - b.offset,
    )
    for (let from = 0; from < rows.length; from += PAGE_ROWS) {
      yield columnsOf(rows.slice(from, from + PAGE_ROWS))
    }
  }

  #place(
    { dekId, segmentId, createdAtMs }: OpenedSegment,
    topic: string,
    partition: number,
  ): Place {
    const name = `${dekId} ${segmentId} ${topic} ${partition}`
    const slotMs = slotOf(createdAtMs)
    const segment = { dekId, segmentId }
    const place = this.#places.get(name) ?? {
      ...{ topic, partition, slotMs, segment },
      ...{ blocks: new Set<number>(), totals: null },
    }
    this.#places.set(name, place)
    return place
  }

  #segment({ dekId, segmentId }: SegmentKey): SegmentRecord {
    const ofDek = this.#segments.get(dekId) ?? new Map<string, SegmentRecord>()
    this.#segments.set(dekId, ofDek)
    const segment = ofDek.get(segmentId) ?? { rows: new Map(), successors: new Set<string>() }
    ofDek.set(segmentId, segment)
    return segment
  }
}

function segmentEntryOf(intent: SegmentIntent, record: SegmentRecord): SegmentEntry {
  const { replacing, replaced = null } = record
  const state = stateOf(record)
  const rowsDekId = state === 'swept' ? intent.dekId : (replacing?.rowsDekId ?? intent.dekId)
  const replaces = replacing && { dekId: replacing.replacesDekId, atMs: replacing.beganAtMs }
  return {
    ...intent,
    ...{ state, rowsDekId, replaces: replaces ?? null, replaced },
    successors: [...record.successors],
    sweptAtMs: record.sweptAtMs ?? null,
    sealedAtMs: record.summary?.sealedAtMs ?? null,
    messageCount: record.summary?.messageCount ?? null,
    bytes: record.summary?.bytes ?? null,
  }
}

function stateOf(record: SegmentRecord): SegmentState {
  const { summary, publishedAtMs, sweptAtMs, replaced, shreddedAtMs } = record
  if (shreddedAtMs !== undefined) return 'shredded'
  if (replaced !== undefined) return 'replaced'
  if (publishedAtMs !== undefined) return 'published'
  if (sweptAtMs !== undefined) return 'swept'
  return summary === undefined ? 'intended' : 'sealed'
}

function entryOf({ dekId, keyDomain, kekId, kekVersion, createdAtMs }: DekRecord): DekEntry {
  return { dekId, keyDomain, kekId, kekVersion, createdAtMs }
}
