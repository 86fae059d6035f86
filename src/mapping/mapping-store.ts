import type { MessageCoordinates } from '../format/message.ts'

/** The intent: durable before the first ciphertext byte of the segment leaves the process. */
export interface SegmentIntent {
  readonly dekId: string
  readonly segmentId: string
  /** Key of the object within the bucket. */
  readonly objectKey: string
  readonly createdAtMs: number
}

/** What is known of a segment once its object and its rows are there. */
export interface SegmentSummary {
  readonly dekId: string
  readonly segmentId: string
  readonly messageCount: number
  readonly bytes: number
  readonly sealedAtMs: number
}

/** Names one (DEK, segment) pair. */
export interface SegmentKey {
  readonly dekId: string
  readonly segmentId: string
}

/**
 * Names the mapping rows of a segment. They are stored under the DEK that sealed it first, and stay
 * there when it is re-encrypted, since nothing that they say changes with it.
 */
export interface RowsKey {
  readonly rowsDekId: string
  readonly segmentId: string
}

/**
 * The frames of one part as parallel columns, `count` entries each: no object per message.
 * `source` indexes `sources`; `position` is the byte of the frame in the object, `length` its bytes.
 */
export interface FrameColumns {
  readonly count: number
  readonly sources: readonly { readonly topic: string; readonly partition: number }[]
  readonly source: Uint16Array
  readonly offset: Float64Array
  readonly position: Float64Array
  readonly length: Uint32Array
}

/** Writes what answers "what did this key protect". Idempotent throughout: any call may be repeated.
 * Errors: SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED. */
export interface MappingWriter {
  recordIntent(intent: SegmentIntent): Promise<void>
  /** One row a message. Resolves when every row is durable. The columns stay the caller's. */
  writeRows(segment: SegmentKey, objectKey: string, frames: FrameColumns): Promise<void>
  recordSealed(summary: SegmentSummary): Promise<void>
  recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void>
}

/** published: references are visible; sealed: object and rows are there, references perhaps not;
 * intended: an object may exist, its upload was not seen to end; swept: it was never published, and
 * what was there of it was removed; replaced: it was re-encrypted, and is under another DEK now. */
export type SegmentState = 'intended' | 'sealed' | 'published' | 'swept' | 'replaced'

/** What took the place of a segment under this DEK. */
export interface Replaced {
  readonly atMs: number
  readonly byDekId: string
  /** Until when the store keeps a version under this DEK in spite of all; null when none is left. */
  readonly retainedUntilMs: number | null
}

/** A segment as look-ups give it. `messageCount` and `bytes` are null until it is sealed. */
export interface SegmentEntry extends SegmentIntent, RowsKey {
  readonly state: SegmentState
  /** The DEK that it was sealed under before, and when its re-encryption began; null at first writing. */
  readonly replaces: { readonly dekId: string; readonly atMs: number } | null
  readonly replaced: Replaced | null
  /** Last time that it was swept. Beside the state `published`, a sign that something went wrong. */
  readonly sweptAtMs: number | null
  readonly messageCount: number | null
  readonly bytes: number | null
}

/** A DEK as look-ups give it. */
export interface DekEntry {
  readonly dekId: string
  readonly keyDomain: string
  readonly kekId: string
  readonly kekVersion: string | null
  readonly createdAtMs: number
}

/** One message that a DEK protected. */
export interface MappedMessage extends MessageCoordinates {
  readonly position: number
  readonly length: number
}

/** Reads what {@link MappingWriter} and the key store wrote. Errors as there. */
export interface MappingReader {
  /**
   * The DEK under the KEK of now; null when no such DEK is on record, which is not the same as one
   * that protects nothing.
   */
  findDek(dekId: string): Promise<DekEntry | null>
  /**
   * Every DEK that was ever wrapped under the KEK (or that version of it), oldest first, each once,
   * also when it is under another by now; empty when the KEK is unknown.
   */
  deksOfKek(kekId: string, kekVersion?: string): AsyncIterable<DekEntry>
  segmentsOfDek(dekId: string): AsyncIterable<SegmentEntry>
  messagesOfSegment(segment: RowsKey): AsyncIterable<MappedMessage>
}
