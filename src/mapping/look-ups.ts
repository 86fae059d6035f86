import type { MessageCoordinates } from '../format/message.ts'
import type {
  DekEntry,
  FrameColumns,
  MappedMessage,
  OpenedSegment,
  RowsKey,
  SegmentKey,
} from './mapping-store.ts'

/** A day, by its first millisecond in UTC, on which messages of a source partition were sealed. */
export interface SourceDay {
  readonly partition: number
  readonly dayMs: number
}

/** Segments are found by the ten minutes in which they were begun. */
export const SLOT_MS = 10 * 60 * 1000

/** The begin of the slot of a moment. */
export function slotOf(atMs: number): number {
  return Math.floor(atMs / SLOT_MS) * SLOT_MS
}

/** A segment with messages of a source partition. */
export interface SourceSegment extends SegmentKey {
  readonly partition: number
  /** What it holds of the partition; null until it is sealed, or for good if the process died just then. `bytes` are those of the frames. */
  readonly totals: Totals | null
}

/** How many messages, and their bytes. */
export interface Totals {
  readonly messageCount: number
  readonly bytes: number
}

/** A message, and the segment that holds a frame of it. */
export interface MessageInSegment extends SegmentKey, MessageCoordinates {}

/**
 * Look-ups that begin with something else than a key. Errors: SEAL_MAPPING_UNAVAILABLE (retryable),
 * SEAL_MAPPING_REFUSED.
 */
export interface LookUps {
  /** false when something was sealed before these look-ups were kept, and not added to them since. */
  coverAll(): Promise<boolean>
  /** Every key domain of which there is a DEK. */
  keyDomains(): AsyncIterable<string>
  /** Every DEK of a key domain, oldest first; empty when the domain is unknown. */
  deksOfDomain(keyDomain: string): AsyncIterable<DekEntry>
  /** Every topic of which messages were sealed. */
  topics(): AsyncIterable<string>
  /** By day; none when nothing of the topic was ever sealed. */
  sourceDays(topic: string): AsyncIterable<SourceDay>
  /** Segments that were begun in the slot at `slotMs`, once for each partition of the topic, or of one. */
  segmentsOfTopic(topic: string, slotMs: number, partition?: number): AsyncIterable<SourceSegment>
  /** Segments that may hold the message: it has a frame in those alone where {@link findMessage} finds it. */
  segmentsNear(message: MessageCoordinates): AsyncIterable<SegmentKey>
  /**
   * How many of the notes are missing, or say something else, by which the segment is found by the
   * sources and offsets of `frames`, which are all that it has.
   */
  missingPlaces(segment: OpenedSegment, frames: FrameColumns): Promise<number>
  findMessage(segment: RowsKey, message: MessageCoordinates): Promise<MappedMessage | null>
  /** Messages whose producer gave them an id with this hash (message-id.ts). */
  messagesWithId(hash: Uint8Array): AsyncIterable<MessageInSegment>
}
