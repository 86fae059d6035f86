import type { Clock } from '../clock.ts'
import { isSealError, type SealError } from '../errors.ts'
import type { DekMaker } from '../keys/create-dek.ts'
import type { Dek } from '../keys/dek.ts'
import { DekWindows } from '../keys/dek-windows.ts'
import type { KeyLifeListener, RunningKeys } from '../keys/running-keys.ts'
import type { WindowPolicy } from '../keys/window-policy.ts'
import type { MappingWriter } from '../mapping/mapping-store.ts'
import { BufferPool } from '../segment/buffer-pool.ts'
import type { ObjectStore } from '../segment/object-store.ts'
import { createDekPatiently } from './create-dek-patiently.ts'
import { InFlightBudget } from './in-flight-budget.ts'
import { Lane, type LaneSettings } from './lane.ts'
import { MemoryGuard, type ProcessMemory } from './memory-guard.ts'
import {
  type BatchControl,
  type FetchedBatch,
  laneOf,
  type MessageSource,
  type TopicPartition,
} from './message-source.ts'
import type { PipelineObserver } from './observer.ts'
import type { PartRunner } from './part-task.ts'
import { Patience, type Wait } from './patience.ts'
import type { ReferenceSink } from './reference-sink.ts'

/** How long closing may take once nothing more is to be published. */
const CLOSE_MS_MAX = 3_000

/** How often memory is looked at, and windows that nobody asks for. */
const SWEEP_MS = 250

/** What the road is built from. The pipeline owns none of them; whoever made them closes them. */
export interface PipelineParts {
  readonly source: MessageSource
  readonly sink: ReferenceSink
  readonly store: ObjectStore
  readonly mapping: MappingWriter
  readonly runner: PartRunner
  readonly keys: Omit<DekMaker, 'clock'>
  /** Hears what becomes of the data keys. */
  readonly lives: KeyLifeListener
  readonly observer: PipelineObserver
  readonly clock: Clock
  readonly memory: ProcessMemory
}

/** How the road is set. */
export interface PipelineSettings extends LaneSettings {
  readonly lanes: number
  readonly window: WindowPolicy
  /** See the services of {@link DekWindows}. */
  readonly deksMax: number
  readonly inFlightBytesMax: number
  /** The ceiling of the memory of the process. */
  readonly rssBytesMax: number
}

/**
 * The road of a message, from the front door:
 *
 *  1. consume   a fetch gives a batch of one partition            -> MessageSource, Lane.accept
 *  2. pack      each message becomes a frame in a part            -> LaneSession, SegmentWriter.add
 *  3. key       the segment has a DEK; wrap and intent durable    -> DekWindows, createDek
 *  4. seal      a worker seals, uploads and maps a whole part     -> PartRunner, workPart
 *  5. complete  the parts become one object                       -> SegmentWriter.finish
 *  6. publish   references and offsets in one transaction         -> LanePublisher.publish
 *
 * Nothing is visible to consumers before step 6, and everything that step 6 names is durable by
 * then. A crash anywhere leaves at worst an object that only its intent names.
 */
export class Pipeline {
  readonly #parts: PipelineParts
  readonly #lanes: readonly Lane[]
  readonly #windows: DekWindows
  readonly #memoryGuard: MemoryGuard
  readonly #patience: Patience
  readonly #stop = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  #assigned: readonly TopicPartition[] = []
  #isDraining = false
  /** The source is away, and tries again by itself. */
  #interruption: Wait | null = null

  constructor(parts: PipelineParts, settings: PipelineSettings) {
    this.#parts = parts
    const { clock, observer, source, sink, store, mapping, runner, lives } = parts
    const patience = new Patience(clock, observer, this.#stop.signal)
    this.#patience = patience
    const budget = new InFlightBudget(settings.inFlightBytesMax, (bytes) =>
      observer.inFlight(bytes),
    )
    this.#memoryGuard = new MemoryGuard(parts.memory, settings.rssBytesMax, budget, observer)
    this.#windows = new DekWindows({
      createDek: (...asked) => this.#createDek(...asked),
      policy: settings.window,
      deksMax: settings.deksMax,
      ...{ clock, lives },
      onRefused: (keyDomain, error) => this.#dekRefused(keyDomain, error),
    })
    const buffers = new BufferPool(settings.inFlightBytesMax)
    const segments = { store, mapping, runner, patience, observer, clock, buffers, budget }
    const windows = this.#windows
    const stopping = this.#stop.signal
    const shared = { source, sink, windows, budget, patience, observer, clock, stopping }
    this.#lanes = Array.from(
      { length: settings.lanes },
      (_, id) => new Lane(id, { ...shared, segments, settings }, (error) => this.#fail(error)),
    )
  }

  /** Starts to consume. Rejects when the source cannot be joined. */
  async start(): Promise<void> {
    await this.#parts.source.start({
      onAssigned: (partitions) => this.#assign(partitions),
      onBatch: (batch, control) => this.#accept(batch, control),
      onUnreadable: (at, error) => this.#laneOf(at).stopPartition(at, error),
      onOutOfRange: (at) => this.#laneOf(at).outOfRange(at),
      onInterrupted: (error, attempt) => this.#interrupted(error, attempt),
      onFailure: (error) => this.#fail(error),
    })
    this.#sweep()
  }

  /** The data keys that seal here, for whoever manages them. */
  get keys(): RunningKeys {
    return {
      inUse: () => this.#windows.inUse(),
      held: () => this.#windows.held,
      rotate: async (scope, reason) => {
        const retired = this.#windows.rotate(scope, reason)
        await Promise.all(this.#lanes.map((lane) => lane.rollEnded()))
        return retired
      },
    }
  }

  /** Resolves after `stop`; rejects with the failure that no waiting mends. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  /**
   * Stops reading, publishes what was read, leaves the group. What does not get through within
   * `drainMs` is given up: it is unpublished, and so read again by the next process. Resolves to
   * whether everything got through; soon after the time is over at the latest.
   */
  async stop(drainMs: number): Promise<boolean> {
    const { clock, source } = this.#parts
    this.#isDraining = true
    source.pause(this.#assigned)
    const drained = Promise.all(this.#lanes.map((lane) => lane.drain())).then((lanes) =>
      lanes.every(Boolean),
    )
    const late = clock.sleep(drainMs, this.#stop.signal).then(() => false)
    const isDrained = await Promise.race([drained, late])
    this.#stop.abort()
    const close = async () => {
      // First, so that keys are wiped whoever holds up the rest; segments under way keep theirs.
      await this.#windows.close()
      await Promise.all(this.#lanes.map((lane) => lane.close()))
      await source.stop()
    }
    // Services that do not answer must not hold up the end; the process drops what is left.
    await Promise.race([close(), clock.sleep(CLOSE_MS_MAX)])
    this.#finished.resolve()
    return isDrained
  }

  async #sweep(): Promise<void> {
    const { clock, observer } = this.#parts
    while (!this.#stop.signal.aborted) {
      this.#windows.sweep()
      this.#memoryGuard.look()
      observer.exposed(this.#windows.exposure())
      await clock.sleep(SWEEP_MS, this.#stop.signal)
    }
  }

  #dekRefused(keyDomain: string, error: unknown): void {
    if (isSealError(error, 'SEAL_STOPPED')) return
    if (isSealError(error)) this.#parts.observer.dekRefused(keyDomain, error)
    else this.#fail(error)
  }

  #interrupted(error: SealError, attempt: number): void {
    this.#interruption ??= this.#patience.begin()
    this.#interruption.failed(error, attempt)
  }

  #assign(partitions: readonly TopicPartition[]): void {
    this.#assigned = partitions
    this.#interruption?.over()
    this.#interruption = null
    const held = this.#lanes.map((lane, id) => {
      const own = partitions.filter((at) => laneOf(at, this.#lanes.length) === id)
      lane.assign(own)
      return own.length > 0
    })
    this.#parts.observer.assigned(partitions.length, held.filter(Boolean).length)
  }

  async #accept(batch: FetchedBatch, control: BatchControl): Promise<boolean> {
    if (this.#isDraining) {
      // A lane that starts anew makes its partitions be fetched again.
      this.#parts.source.pause([batch])
      return false
    }
    return this.#laneOf(batch).accept(batch, control)
  }

  #laneOf(at: TopicPartition): Lane {
    return this.#lanes[laneOf(at, this.#lanes.length)] as Lane
  }

  async #createDek(keyDomain: string, onTrouble: () => void): Promise<Dek> {
    const { keys, clock, observer } = this.#parts
    const dek = await createDekPatiently({ ...keys, clock }, this.#patience, keyDomain, onTrouble)
    observer.dekCreated(keyDomain, dek.record.dekId, dek.record.kekId)
    return dek
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#finished.reject(error)
  }
}
