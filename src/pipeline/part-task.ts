import type { SecretBytes } from '../crypto/secret-bytes.ts'
import type { PlainError } from '../errors.ts'
import type { RecordRun } from '../format/record-run.ts'
import type { MessageIds, OpenedSegment } from '../mapping/mapping-store.ts'
import type { ObjectMetadata, PartReceipt } from '../segment/object-store.ts'
import type { PartTimings } from './observer.ts'

/** A (topic, partition) that a segment holds messages of; frames name it by its index. */
export interface Source {
  readonly topic: string
  readonly partition: number
}

/** How the bytes of a part reach the store: alone, or as one part of a multipart upload. */
export type PartUpload =
  | { readonly kind: 'whole-object'; readonly metadata: ObjectMetadata }
  | { readonly kind: 'part'; readonly uploadId: string; readonly partNumber: number }

/** The steps of a part that are done already; a task that is tried again skips them. */
export interface PartProgress {
  readonly sealed: boolean
  readonly uploaded: boolean
  readonly receipt: PartReceipt | null
  readonly mapped: boolean
  /** Taken from the messages before they were sealed; absent where none are kept. */
  readonly messageIds?: MessageIds
}

/** Everything that is sealed with one key: what all parts of a segment share. */
export interface SegmentTask extends OpenedSegment {
  readonly objectKey: string
  readonly clusterId: string
  /** The segment's; it outlives every task with it. */
  readonly frameKey: SecretBytes
  readonly baseNonce: Uint8Array
  readonly sources: readonly Source[]
}

/**
 * One part on its way to a worker: plain data, the segment's key, and a buffer that is transferred,
 * in both directions.
 * The frames in `buffer` are complete but for their sealing.
 */
export interface PartTask {
  readonly segment: SegmentTask
  readonly buffer: ArrayBuffer
  readonly size: number
  readonly framesAt: number
  readonly frameCount: number
  /** Position of the part's first byte in the object. */
  readonly position: number
  readonly upload: PartUpload
  readonly progress: PartProgress
}

/** References to frames of one part that are of one source, in the order of the frames. */
export interface ReferenceRun extends RecordRun {
  /** Index into the segment's sources. */
  readonly source: number
}

/** What a worker answers. Errors do not survive a thread boundary, so they come as plain data. */
export type PartResult =
  | {
      readonly ok: true
      readonly receipt: PartReceipt | null
      readonly references: readonly ReferenceRun[]
      readonly timings: PartTimings
      /** The buffer goes back to be used again. */
      readonly buffer: ArrayBuffer
    }
  | {
      readonly ok: false
      readonly error: PlainError
      readonly progress: PartProgress
      /** The buffer goes back for the next try. */
      readonly buffer: ArrayBuffer
    }

/** Runs part tasks, in parallel and in any order. Takes over `task.buffer`. */
export interface PartRunner {
  run(task: PartTask): Promise<PartResult>
  close(): Promise<void>
}
