import type { MessageCoordinates } from '../format/message.ts'
import type { DekEntry, SegmentEntry, SegmentKey } from '../mapping/mapping-store.ts'
import { messageIdHash } from '../mapping/message-id.ts'
import { type ImpactReader, unknownSource } from './impact-scope.ts'
import { withSuccessors } from './scoped-segments.ts'

/** A frame of one message: where it is, and under which key. */
export interface MessagePlace extends MessageCoordinates {
  /** null when the record of the DEK is lost. */
  readonly dek: DekEntry | null
  readonly segment: SegmentEntry
  /** Of the frame within the object. */
  readonly position: number
  readonly length: number
}

/** What is on record of one message. */
export interface MessageAnswer {
  /** Every frame of it: the published one, and those that crashed writers left behind. */
  readonly places: readonly MessagePlace[]
  /** Begun segments with messages near it whose rows are not written: each may hold a frame of it. */
  readonly possible: readonly SegmentEntry[]
}

/**
 * Where one message is, and under which keys. Errors: SEAL_SOURCE_UNKNOWN when nothing is on record of
 * it, SEAL_MAPPING_*.
 */
export async function placesOfMessage(
  reader: ImpactReader,
  message: MessageCoordinates,
): Promise<MessageAnswer> {
  const places: MessagePlace[] = []
  const possible: SegmentEntry[] = []
  for await (const near of reader.segmentsNear(message)) {
    for (const segment of await entriesOf(reader, near)) {
      const place = await placeIn(reader, segment, message)
      if (place !== null) places.push(place)
      else if (segment.state === 'intended') possible.push(segment)
    }
  }
  if (places.length + possible.length > 0) return { places, possible }
  const { topic, partition, offset } = message
  throw unknownSource(`no message of topic "${topic}" partition ${partition} offset ${offset}`)
}

/**
 * Every frame on record of the messages to which their producer gave this id; there may be several.
 * Errors: SEAL_SOURCE_UNKNOWN when there is none, SEAL_MAPPING_*.
 */
export async function placesOfMessageId(reader: ImpactReader, id: string): Promise<MessageAnswer> {
  const places: MessagePlace[] = []
  const hash = messageIdHash(Buffer.from(id))
  for await (const { dekId, segmentId, ...message } of reader.messagesWithId(hash)) {
    for (const segment of await entriesOf(reader, { dekId, segmentId })) {
      const place = await placeIn(reader, segment, message)
      if (place !== null) places.push(place)
    }
  }
  if (places.length > 0) return { places, possible: [] }
  throw unknownSource(`no message with the id "${id}" that was sealed with mapping.messageIdHeader`)
}

/** The segment under this DEK and those that it was re-encrypted under. */
async function entriesOf(reader: ImpactReader, key: SegmentKey): Promise<readonly SegmentEntry[]> {
  const first = await reader.findSegment(key)
  return first === null ? [] : withSuccessors(reader, first, new Set())
}

async function placeIn(
  reader: ImpactReader,
  segment: SegmentEntry,
  message: MessageCoordinates,
): Promise<MessagePlace | null> {
  const row = await reader.findMessage(segment, message)
  return row === null ? null : { ...row, dek: await reader.findDek(segment.dekId), segment }
}
