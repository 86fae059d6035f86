import type { KeyEvent, KeyEventLog } from '../../src/keys/key-events.ts'
import type { DekRecord, KeyStore } from '../../src/keys/key-store.ts'
import type {
  FrameColumns,
  MappingWriter,
  OpenedSegment,
  SegmentIntent,
  SegmentKey,
  SegmentSummary,
} from '../../src/mapping/mapping-store.ts'
import type { Host } from './host.ts'
import type { World } from './world.ts'

export interface RegistryRow {
  readonly position: number
  readonly length: number
}

export interface RegistrySegment {
  readonly intent: SegmentIntent
  /** By `topic/partition/offset`. */
  readonly rows: Map<string, RegistryRow>
  summary: SegmentSummary | null
  publishedAtMs: number | null
  sweptAtMs: number | null
}

/** What is durable in Cassandra. */
export class Registry {
  readonly deks = new Map<string, DekRecord>()
  readonly segments = new Map<string, RegistrySegment>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  recordIntent(intent: SegmentIntent): void {
    this.#world.checker.intentComes(intent)
    const known = this.segments.get(intent.segmentId)
    if (known !== undefined) return
    const nothingYet = { summary: null, publishedAtMs: null, sweptAtMs: null }
    const segment = { intent, rows: new Map(), ...nothingYet }
    this.segments.set(intent.segmentId, segment)
  }

  writeRows({ segmentId }: SegmentKey, rows: ReadonlyMap<string, RegistryRow>): void {
    const segment = this.segments.get(segmentId)
    if (segment === undefined) {
      this.#world.violate(`rows of segment ${segmentId} come before its intent`)
      return
    }
    for (const [place, row] of rows) segment.rows.set(place, row)
  }

  recordPublished({ segmentId }: SegmentKey, publishedAtMs: number): void {
    const segment = this.segments.get(segmentId)
    if (segment !== undefined) segment.publishedAtMs = publishedAtMs
  }

  markSwept({ segmentId }: SegmentKey, sweptAtMs: number): void {
    const segment = this.segments.get(segmentId)
    if (segment === undefined) return
    this.#world.checker.swept(segment.intent.objectKey)
    segment.rows.clear()
    segment.sweptAtMs = sweptAtMs
  }
}

/** Key store, event log and mapping of one process. A large write goes out in two batches. */
export class SimRegistry implements KeyStore, MappingWriter, Pick<KeyEventLog, 'append'> {
  readonly #world: World
  readonly #host: Host

  constructor(world: World, host: Host) {
    this.#world = world
    this.#host = host
  }

  recordDek(dek: DekRecord): Promise<void> {
    const record = { ...dek, wrapped: dek.wrapped.slice() }
    const write = () => void this.#world.registry.deks.set(dek.dekId, record)
    return this.#world.flaws.on.recordsDeksLate
      ? this.#later(write)
      : this.#call(`record DEK ${dek.dekId}`, write)
  }

  append(events: readonly KeyEvent[]): Promise<void> {
    return this.#call(`append ${events.length} key events`, () => {})
  }

  recordIntent(intent: SegmentIntent): Promise<void> {
    const write = () => this.#world.registry.recordIntent(intent)
    return this.#world.flaws.on.recordsIntentsLate
      ? this.#later(write)
      : this.#call(`intent ${intent.segmentId}`, write)
  }

  async writeRows(segment: SegmentKey, _objectKey: string, frames: FrameColumns): Promise<void> {
    const rows = [...rowsOf(frames)]
    const half = this.#world.random.int(0, rows.length)
    const write = (some: typeof rows) => () =>
      this.#world.registry.writeRows(segment, new Map(some))
    if (this.#world.flaws.on.writesRowsLate) return this.#later(write(rows))
    await Promise.all(
      [rows.slice(0, half), rows.slice(half)]
        .filter((some) => some.length > 0)
        .map((some) => this.#call(`${some.length} rows ${segment.segmentId}`, write(some))),
    )
  }

  recordPlaces({ segmentId }: OpenedSegment): Promise<void> {
    return this.#call(`places of ${segmentId}`, () => {})
  }

  recordMessageIds({ segmentId }: OpenedSegment): Promise<void> {
    return this.#call(`message ids of ${segmentId}`, () => {})
  }

  recordTotals({ segmentId }: OpenedSegment): Promise<void> {
    return this.#call(`totals of ${segmentId}`, () => {})
  }

  recordSealed(summary: SegmentSummary): Promise<void> {
    return this.#call(`sealed ${summary.segmentId}`, () => {
      const segment = this.#world.registry.segments.get(summary.segmentId)
      if (segment !== undefined) segment.summary = summary
    })
  }

  recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void> {
    return this.#call(`published ${segment.segmentId}`, () =>
      this.#world.registry.recordPublished(segment, publishedAtMs),
    )
  }

  /** A flaw: claims to have written, and does so in its own time. */
  async #later(write: () => void): Promise<void> {
    this.#world.scheduler.at(this.#world.random.next() * 500, write)
  }

  #call<T>(what: string, apply: () => T): Promise<T> {
    return this.#world.network.call(this.#host, 'cassandra', what, apply)
  }
}

function* rowsOf(frames: FrameColumns): Generator<[string, RegistryRow]> {
  for (let i = 0; i < frames.count; i++) {
    const source = frames.sources[frames.source[i] as number]
    const place = `${source?.topic}/${source?.partition}/${frames.offset[i]}`
    yield [place, { position: frames.position[i] as number, length: frames.length[i] as number }]
  }
}
