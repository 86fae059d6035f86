import type { Clock } from '../clock.ts'
import type { SealError } from '../errors.ts'
import type { DekWindow } from '../keys/dek-window.ts'
import type { MappingWriter, SegmentKey } from '../mapping/mapping-store.ts'
import type { BufferPool } from '../segment/buffer-pool.ts'
import type { ObjectStore } from '../segment/object-store.ts'
import type { InFlightBudget } from './in-flight-budget.ts'
import type { TopicPartition } from './message-source.ts'
import type { PipelineObserver } from './observer.ts'
import type { PartRunner, ReferenceRun, Source } from './part-task.ts'
import type { Patience } from './patience.ts'

/** When a segment is full. Its age is watched by the lane, which holds the timer. */
export interface SegmentLimits {
  readonly bytesMax: number
  readonly messagesMax: number
  readonly partBytesMax: number
}

/** What a segment works with. */
export interface SegmentServices {
  readonly store: ObjectStore
  readonly mapping: MappingWriter
  readonly runner: PartRunner
  readonly patience: Patience
  readonly observer: PipelineObserver
  readonly clock: Clock
  readonly buffers: BufferPool
  readonly budget: Pick<InFlightBudget, 'release'>
}

/** What one segment is. */
export interface SegmentPlan {
  readonly segmentId: string
  readonly objectKey: string
  readonly clusterId: string
  readonly createdAtMs: number
  /** A random text that marks this writing of the object. */
  readonly token: string
  readonly window: DekWindow
  readonly limits: SegmentLimits
}

/** A message that was set aside instead of sealed: where it stands and why, never its content. */
export interface Quarantined extends TopicPartition {
  readonly offset: number
  readonly error: SealError
}

/** A source as its segment keeps it. */
export interface SegmentSource extends Source {
  readonly index: number
}

/** The same while it is packed, with what of it was packed so far. */
export interface PackedSource extends SegmentSource {
  firstOffset: number
  lastOffset: number
  messageCount: number
  bytes: number
}

/** A segment whose object, rows and intent are durable. */
export interface SealedSegment {
  readonly key: SegmentKey
  readonly sources: readonly SegmentSource[]
  /** In the order of packing. */
  readonly references: readonly ReferenceRun[]
  readonly messageCount: number
}

/** How far a source partition is done once something is published. */
export interface Progress extends TopicPartition {
  readonly nextOffset: number
  /**
   * Message by message in the order of packing: the number of the segment that it went to. Null when
   * all went to one.
   */
  readonly order: readonly number[] | null
}

/** A group whose segments are all sealed: all that is left is to publish it. */
export interface SealedGroup {
  /** Those with messages, in the order in which they were opened. */
  readonly segments: readonly SealedSegment[]
  readonly quarantined: readonly Quarantined[]
  readonly progress: readonly Progress[]
  readonly messageCount: number
  readonly chargedBytes: number
  /** Monotonic time at which the group was opened. */
  readonly openedAtMs: number
  /** Wall clock of the oldest intent; Infinity when there is none. */
  readonly createdAtMs: number
}
