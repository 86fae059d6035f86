import { SealError } from '../../src/errors.ts'
import type { Message } from '../../src/format/message.ts'
import { parcelBytes } from '../../src/format/parcel.ts'
import { createDek } from '../../src/keys/create-dek.ts'
import type { Dek } from '../../src/keys/dek.ts'
import { DekWindow, type WindowSurroundings } from '../../src/keys/dek-window.ts'
import { DekWindows } from '../../src/keys/dek-windows.ts'
import { domainOfBy } from '../../src/keys/key-domain.ts'
import type { RetiredKey } from '../../src/keys/running-keys.ts'
import {
  type WindowPolicy,
  type WindowSettings,
  windowPolicyOf,
} from '../../src/keys/window-policy.ts'
import type { SegmentIntent, SegmentKey, SegmentSummary } from '../../src/mapping/mapping-store.ts'
import { InFlightBudget } from '../../src/pipeline/in-flight-budget.ts'
import type { LaneServices, LaneSettings } from '../../src/pipeline/lane.ts'
import { LaneSession } from '../../src/pipeline/lane-session.ts'
import { REFERENCE_BYTES } from '../../src/pipeline/message-slice.ts'
import { type BatchControl, type FetchedBatch, placeOf } from '../../src/pipeline/message-source.ts'
import { Patience } from '../../src/pipeline/patience.ts'
import { BufferPool } from '../../src/segment/buffer-pool.ts'
import { frameBytesOf } from '../../src/segment/part-buffer.ts'
import { FakeKms } from './fake-kms.ts'
import { Gate } from './gate.ts'
import { InlinePartRunner } from './inline-part-runner.ts'
import { MemoryKeyEventLog } from './memory-key-event-log.ts'
import { MemoryMappingStore } from './memory-mapping-store.ts'
import { MemoryMessageSource } from './memory-message-source.ts'
import { MemoryObjectStore } from './memory-object-store.ts'
import { MemoryReferenceSink } from './memory-reference-sink.ts'
import { message } from './messages.ts'
import { RecordingObserver } from './recording-observer.ts'
import { KEK_ID } from './sealed-segment.ts'
import { SteppedClock } from './stepped-clock.ts'

const MIB = 1024 * 1024
export const MESSAGE_BYTES_MAX = 2 * MIB
export const BUDGET_BYTES = 64 * MIB
export const SEGMENT_AGE_MS = 10_000
export const PUBLISH_WITHIN_MS = 60_000
const WIDE_WINDOW: WindowSettings = {
  ...{ ageMs: 3_600_000, messagesMax: 1_000_000, bytesMax: 2 ** 40, outageFactor: 4, reserve: 0 },
}

/** What a test may set; the rest is wide enough never to matter. */
export interface LanePlaceOptions {
  readonly settings?: Partial<Omit<LaneSettings, 'segment'>>
  readonly segment?: Partial<LaneSettings['segment']>
  readonly window?: Partial<WindowSettings>
  readonly inFlightBytesMax?: number
}

/** Writes its part of the journal, so that a test sees an order over all services. */
class JournalledMapping extends MemoryMappingStore {
  readonly #journal: string[]

  constructor(journal: string[]) {
    super()
    this.#journal = journal
  }

  override recordIntent(intent: SegmentIntent): Promise<void> {
    this.#journal.push(`intent ${intent.segmentId}`)
    return super.recordIntent(intent)
  }

  override recordSealed(summary: SegmentSummary): Promise<void> {
    this.#journal.push(`sealed ${summary.segmentId}`)
    return super.recordSealed(summary)
  }

  override recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void> {
    this.#journal.push(`published ${segment.segmentId}`)
    return super.recordPublished(segment, publishedAtMs)
  }
}

/** All that lanes share, in memory and under a clock that a test moves. */
export class LanePlace {
  readonly journal: string[] = []
  readonly clock = new SteppedClock()
  readonly kms = new FakeKms(KEK_ID)
  readonly store = new MemoryObjectStore()
  readonly observer = new RecordingObserver()
  readonly mapping = new JournalledMapping(this.journal)
  readonly events = new MemoryKeyEventLog()
  readonly source = new MemoryMessageSource(this.journal)
  readonly sink = new MemoryReferenceSink(this.journal, this.source.committed)
  readonly runner = new InlinePartRunner(this.journal, this.store, this.mapping)
  /** Holds the making of data keys. */
  readonly keyGate = new Gate()
  readonly stop = new AbortController()
  readonly budget: InFlightBudget
  readonly services: LaneServices
  readonly settings: LaneSettings
  readonly window: WindowPolicy
  /** What became of data keys. */
  readonly retired: (RetiredKey & { readonly reason: string })[] = []
  readonly windows: DekWindows
  /** What sessions and lanes reported as failures. */
  readonly failures: unknown[] = []

  constructor(options: LanePlaceOptions = {}) {
    const { clock, kms, store, observer, mapping, source, sink, runner } = this
    this.window = windowPolicyOf({ ...WIDE_WINDOW, ...options.window })
    this.settings = settingsWith(options)
    const { settings } = this
    const patience = new Patience(clock, observer, this.stop.signal)
    this.budget = new InFlightBudget(options.inFlightBytesMax ?? BUDGET_BYTES, (bytes) =>
      observer.inFlight(bytes),
    )
    const makeDek = async (keyDomain: string): Promise<Dek> => {
      await this.keyGate.pass()
      const { events } = this
      const maker = { kms, keyStore: mapping, events, actor: 'encryptor test' }
      return createDek({ ...maker, kekOf: () => KEK_ID, clock }, keyDomain)
    }
    const windows = new DekWindows({
      deksMax: 1_000,
      ...{ createDek: makeDek, policy: this.window, clock, random: () => 0.5 },
      lives: {
        firstUsed: () => {},
        retired: (key, reason) => void this.retired.push({ ...key, reason }),
      },
      onRefused: (keyDomain, error) => observer.dekRefused(keyDomain, error as SealError),
    })
    this.windows = windows
    const buffers = new BufferPool(BUDGET_BYTES)
    const { budget } = this
    const segments = { store, mapping, runner, patience, observer, clock, buffers, budget }
    const stopping = this.stop.signal
    const shared = { source, sink, windows, budget, patience, observer, clock, stopping }
    this.services = { ...shared, segments, settings }
  }

  /** A session that starts at these offsets of `orders`, partition by partition. */
  async session(...offsets: number[]): Promise<LaneSession> {
    const startsAt = offsets.map((offset, partition) => {
      return { topic: 'orders', partition, offset, isCommitted: true }
    })
    for (const at of startsAt) this.source.committed.set(placeOf(at), at.offset)
    const publisher = await this.sink.openLane(0)
    return new LaneSession(this.services, publisher, startsAt, (error) => this.failures.push(error))
  }

  /** A window that a test keeps by itself, with no next DEK at hand. */
  windowOf(dek: Dek, around: Partial<WindowSurroundings> = {}): DekWindow {
    const quietly = { clock: this.clock, hasSuccessor: () => false, onFirstUse: () => {} }
    return new DekWindow(dek, this.window, { ...quietly, ...around })
  }

  /** How many messages were sealed under each DEK. */
  messagesByDek(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { segment, frameCount } of this.runner.tasks) {
      counts.set(segment.dekId, (counts.get(segment.dekId) ?? 0) + frameCount)
    }
    return counts
  }
}

function settingsWith({ settings, segment }: LanePlaceOptions): LaneSettings {
  return {
    ...{ prefix: 'sealed', referenceTopicSuffix: '.sealed', quarantineTopicSuffix: '.quarantine' },
    ...{ messageBytesMax: MESSAGE_BYTES_MAX, onUnsealable: 'stop' },
    ...{ keyDomain: { by: 'topic' }, domainOf: domainOfBy({ by: 'topic' }), openSegmentsMax: 64 },
    ...settings,
    segment: {
      ...{ bytesMax: 2 ** 30, messagesMax: 1_000, partBytesMax: 8 * MIB, ageMs: SEGMENT_AGE_MS },
      publishWithinMs: PUBLISH_WITHIN_MS,
      ...segment,
    },
  }
}

/** A batch whose messages are all there. */
interface LaneBatch extends FetchedBatch {
  readonly messages: readonly Message[]
}

/** A batch of one partition with messages from `from` up to, but without, `to`. */
export function batch(from: number, to: number, over: Partial<LaneBatch> = {}): LaneBatch {
  const at = { topic: over.topic ?? 'orders', partition: over.partition ?? 0 }
  const messages = Array.from({ length: to - from }, (_, i) =>
    message({ ...at, offset: from + i, value: Buffer.from(`value ${from + i}`) }),
  )
  return { ...at, messages, fetchedOffset: from, nextOffset: to, ...over }
}

/** A message that is too large to be sealed. */
export function unsealable(offset: number): Message {
  return message({ offset, value: Buffer.alloc(MESSAGE_BYTES_MAX + 1) })
}

/** What a message takes of the budget. */
export function chargeOf(one: Message): number {
  return frameBytesOf(parcelBytes(one)) + REFERENCE_BYTES
}

/** Numbers from `from` up to, but without, `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

/** A batch in hand, of a group that is quiet. */
export const quiet: BatchControl = {
  heartbeat: async () => {},
  isStale: () => false,
  letGo: () => {},
}

/** The group has been rebalanced; what a source client throws is no SealError. */
export const rebalanced: BatchControl = {
  heartbeat: async () => {
    throw new Error('rebalance')
  },
  isStale: () => false,
  letGo: () => {},
}

/** A failure that passes. */
export function away(
  code: 'SEAL_KAFKA_UNAVAILABLE' | 'SEAL_MAPPING_UNAVAILABLE' | 'SEAL_STORE_UNAVAILABLE',
): SealError {
  return new SealError(code, 'away', { retryable: true })
}
