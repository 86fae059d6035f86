import type { DekRecord, KeyStore } from '../../src/keys/key-store.ts'
import type { WrapRegister } from '../../src/keys/wrap-register.ts'
import type {
  DekEntry,
  FrameColumns,
  MappedMessage,
  MappingReader,
  MappingWriter,
  Replaced,
  RowsKey,
  SegmentEntry,
  SegmentIntent,
  SegmentKey,
  SegmentState,
  SegmentSummary,
} from '../../src/mapping/mapping-store.ts'
import type { SegmentRegister } from '../../src/mapping/segment-register.ts'
import type {
  ReplacementIntent,
  SegmentReplacements,
} from '../../src/mapping/segment-replacements.ts'

interface SegmentRecord {
  intent?: SegmentIntent
  summary?: SegmentSummary
  publishedAtMs?: number
  sweptAtMs?: number
  replacing?: ReplacementIntent
  replaced?: Replaced
  readonly rows: Map<string, MappedMessage>
}

/** The mapping store in memory, held to the same contract as the one over Cassandra. */
export class MemoryMappingStore
  implements
    MappingWriter,
    MappingReader,
    SegmentRegister,
    SegmentReplacements,
    KeyStore,
    WrapRegister
{
  readonly #deks = new Map<string, DekRecord>()
  /** By KEK and DEK: every version that ever wrapped. */
  readonly #wraps = new Map<string, Map<string, (string | null)[]>>()
  readonly #segments = new Map<string, Map<string, SegmentRecord>>()

  async recordDek(dek: DekRecord): Promise<void> {
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
    this.#segment(intent).intent = { ...intent }
  }

  async writeRows(segment: SegmentKey, _objectKey: string, frames: FrameColumns): Promise<void> {
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

  async recordSealed(summary: SegmentSummary): Promise<void> {
    this.#segment(summary).summary = { ...summary }
  }

  async recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void> {
    this.#segment(segment).publishedAtMs = publishedAtMs
  }

  async recordReplacing(intent: ReplacementIntent): Promise<void> {
    const { dekId, segmentId, objectKey, createdAtMs } = intent
    const segment = this.#segment(intent)
    segment.intent = { dekId, segmentId, objectKey, createdAtMs }
    segment.replacing = { ...intent }
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
      .filter(({ versions }) => kekVersion === undefined || versions.includes(kekVersion))
      .map(({ name, dekId, versions }) => ({
        ...entryOf(this.#deks.get(dekId) as DekRecord),
        kekId: name,
        kekVersion: kekVersion ?? versions.find((version) => version !== null) ?? null,
      }))
      .sort((a, b) => a.createdAtMs - b.createdAtMs)
    yield* found
  }

  async *segmentsOfDek(dekId: string): AsyncGenerator<SegmentEntry> {
    for (const record of this.#segments.get(dekId)?.values() ?? []) {
      if (record.intent !== undefined) yield segmentEntryOf(record.intent, record)
    }
  }

  async *segments(): AsyncGenerator<SegmentEntry> {
    for (const dekId of this.#segments.keys()) yield* this.segmentsOfDek(dekId)
  }

  async markSwept(segment: SegmentKey, sweptAtMs: number): Promise<void> {
    const record = this.#segment(segment)
    record.rows.clear()
    record.sweptAtMs = sweptAtMs
  }

  async *messagesOfSegment({ rowsDekId, segmentId }: RowsKey): AsyncGenerator<MappedMessage> {
    const rows = this.#segments.get(rowsDekId)?.get(segmentId)?.rows.values() ?? []
    yield* [...rows].sort(
      (a, b) =>
        Buffer.compare(Buffer.from(a.topic), Buffer.from(b.topic)) ||
        a.partition - b.partition ||
        a.offset - b.offset,
    )
  }

  #segment({ dekId, segmentId }: SegmentKey): SegmentRecord {
    const ofDek = this.#segments.get(dekId) ?? new Map<string, SegmentRecord>()
    this.#segments.set(dekId, ofDek)
    const segment = ofDek.get(segmentId) ?? { rows: new Map() }
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
    sweptAtMs: record.sweptAtMs ?? null,
    messageCount: record.summary?.messageCount ?? null,
    bytes: record.summary?.bytes ?? null,
  }
}

function stateOf(record: SegmentRecord): SegmentState {
  const { summary, publishedAtMs, sweptAtMs, replaced } = record
  if (replaced !== undefined) return 'replaced'
  if (publishedAtMs !== undefined) return 'published'
  if (sweptAtMs !== undefined) return 'swept'
  return summary === undefined ? 'intended' : 'sealed'
}

function entryOf({ dekId, keyDomain, kekId, kekVersion, createdAtMs }: DekRecord): DekEntry {
  return { dekId, keyDomain, kekId, kekVersion, createdAtMs }
}
