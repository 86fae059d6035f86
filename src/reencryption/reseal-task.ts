import type { SecretBytes } from '../crypto/secret-bytes.ts'
import type { PlainError } from '../errors.ts'
import type { FooterSource, FrameIndex } from '../format/segment-footer.ts'
import type { ObjectMetadata, PartReceipt } from '../segment/object-store.ts'

/** What a segment is sealed with, as a worker takes it. It outlives every task with it. */
export interface ResealKeys {
  readonly frameKey: SecretBytes
  readonly baseNonce: Uint8Array
}

/** How the new bytes reach the store: alone, or as one part of a multipart upload. */
export type ResealUpload =
  | { readonly kind: 'whole-object'; readonly metadata: ObjectMetadata; readonly replaces: string }
  | { readonly kind: 'part'; readonly uploadId: string; readonly partNumber: number }

/** Bytes that take the place of others, as long as they are. */
export interface Patch {
  /** Within the object. */
  readonly position: number
  readonly bytes: Uint8Array
}

/**
 * One range of an object that is to be sealed anew: plain data and keys. Nothing is sent along that
 * the worker can read from the store itself.
 */
export interface ResealTask {
  readonly objectKey: string
  readonly segmentId: string
  readonly sources: readonly FooterSource[]
  /** The metadata of the object as it was inspected: the range must be of the same version. */
  readonly pairs: ObjectMetadata
  readonly position: number
  readonly length: number
  /** In order and without a gap, as the index of the segment has them. */
  readonly frames: FrameIndex
  /** By frame: 1 where a mark takes the place of the message, which is destroyed; null for none. */
  readonly shredded: Uint8Array | null
  /** The header in the first range, the footer in the last one. */
  readonly patches: readonly Patch[]
  readonly from: ResealKeys
  readonly to: ResealKeys
  readonly upload: ResealUpload
}

/** What a worker answers. Errors do not survive a thread boundary, so they come as plain data. */
export type ResealResult =
  | { readonly ok: true; readonly receipt: PartReceipt | null }
  | { readonly ok: false; readonly error: PlainError }

/** Runs tasks, in parallel and in any order. */
export interface ResealRunner {
  run(task: ResealTask): Promise<ResealResult>
  close(): Promise<void>
}
