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

/** A segment and the wall clock of its begin, by which look-ups of sources and times find it. */
export interface OpenedSegment extends SegmentKey {
  readonly createdAtMs: number
}

/** What a segment holds of one source partition. */
export interface SourceTotals {
  readonly topic: string
  readonly partition: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly messageCount: number
  /** Of the frames. */
  readonly bytes: number
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
 * Frames of one segment as parallel columns, `count` entries each: no object per message.
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

/** How the messages of a part are written: a row each, or packed, a row a run. Both answer alike. */
export type MappingMode = 'rows' | 'runs'
/** Ids that producers gave their messages: entry i belongs to frame `frame[i]`. */
export interface MessageIds {
  readonly frame: Uint32Array
  /** 16 bytes each, one after the other (message-id.ts). */
  readonly hash: Uint8Array
}

/** Writes what answers "what did this key protect". Idempotent throughout: any call may be repeated.
 * Errors: SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED. */
export interface MappingWriter {
  recordIntent(intent: SegmentIntent): Promise<void>
  /**
   * Notes of which source partitions, and about which offsets, the segment has messages. To be durable
   * before a byte of these frames leaves. Frames may come in any portions; what counts is their sum.
   */
  recordPlaces(segment: OpenedSegment, frames: FrameColumns): Promise<void>
  /** What look-ups find each message by. Resolves when all of it is durable. The columns stay the caller's. */
  writeRows(segment: SegmentKey, objectKey: string, frames: FrameColumns): Promise<void>
  /** A message may have several ids, and an id several messages. `frames` are those of one part. */
  recordMessageIds(segment: OpenedSegment, frames: FrameColumns, ids: MessageIds): Promise<void>
  /** To be durable before a reference is visible, as what `recordSealed` notes. */
  recordTotals(segment: OpenedSegment, totals: readonly SourceTotals[]): Promise<void>
  recordSealed(summary: SegmentSummary): Promise<void>
  recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void>
}

/** published: references are visible; sealed: object and rows are there, references perhaps not;
 * intended: an object may exist, its upload was not seen to end; swept: it was never published, and
 * what was there of it was removed; replaced: it was re-encrypted, and is under another DEK now;
 * shredded: it was destroyed on purpose, with its DEK. */
export type SegmentState = 'intended' | 'sealed' | 'published' | 'swept' | 'replaced' | 'shredded'

/** What took the place of a segment under this DEK. */
export interface Replaced {
  readonly atMs: number
  readonly byDekId: string
  /** Until when the store keeps a version under this DEK in spite of all; null when none is left. */
  readonly retainedUntilMs: number | null
}

/** A segment as look-ups give it. Times and totals are null until their step is done. */
export interface SegmentEntry extends SegmentIntent, RowsKey {
  readonly state: SegmentState
  /** The DEK that it was sealed under before, and when its re-encryption began; null at first writing. */
  readonly replaces: { readonly dekId: string; readonly atMs: number } | null
  readonly replaced: Replaced | null
  /** DEKs under which it was to be re-encrypted, whatever came of it. */
  readonly successors: readonly string[]
  /** Last time that it was swept. Beside the state `published`, a sign that something went wrong. */
  readonly sweptAtMs: number | null
  readonly sealedAtMs: number | null
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
  /** The same DEK as one of {@link deksOfKek}; null when the KEK (or version) never wrapped it. */
  dekUnder(dek: DekEntry, kekId: string, kekVersion?: string): Promise<DekEntry | null>
  segmentsOfDek(dekId: string): AsyncIterable<SegmentEntry>
  /** null when no intent names this segment under this DEK. */
  findSegment(segment: SegmentKey): Promise<SegmentEntry | null>
  /**
   * The frames of a segment a page at a time, by topic, partition and rising offset; every page has
   * one frame at least, and is its reader's to keep. {@link messagesOf} gives them one by one.
   */
  framesOfSegment(segment: RowsKey): AsyncIterable<FrameColumns>
}
