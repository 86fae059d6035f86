import { SealError } from '../errors.ts'
import { MESSAGE_BYTES_MAX, SEGMENT_BYTES_MAX, TOPIC_NAME_LENGTH_MAX } from '../limits.ts'
import { FRAME_OVERHEAD_BYTES } from './frame.ts'
import type { MessageCoordinates } from './message.ts'

const REFERENCE_VERSION = 1
/** Of a value that names several messages (reference-list.ts). */
export const LIST_VERSION = 2
/** What such a value begins with. */
export const LIST_HEAD = `{"v":${LIST_VERSION},`
const REFERENCE_BYTES_MAX = 4096
/** The longest frame that a reference may name. */
export const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + FRAME_OVERHEAD_BYTES
/** Neither `.` nor `..` as a step: an HTTP client would resolve them, into another bucket. */
const OBJECT_KEY = /^(?!(?:.*\/)?\.\.?\/)[A-Za-z0-9!_.*'()%-][A-Za-z0-9!_.*'()%/-]{0,1023}\.seal$/
const TOPIC = /^[A-Za-z0-9._-]+$/

/**
 * What a reference says: where the frame of one message is. It names no bucket and no key: the
 * reader's own configuration does, so a forged reference reaches nothing else.
 */
export interface Reference extends MessageCoordinates {
  /** Key of the segment object within the bucket. */
  readonly object: string
  /** First byte of the frame in the object. */
  readonly position: number
  /** Bytes of the frame. */
  readonly length: number
}

/** What the references of one source within one segment have in common, up to the offset. */
export function referenceHead({
  object,
  topic,
  partition,
}: Pick<Reference, 'object' | 'topic' | 'partition'>): string {
  const shared = JSON.stringify({ v: REFERENCE_VERSION, object, topic, partition })
  return `${shared.slice(0, -1)},"offset":`
}

/**
 * Encodes the references of one source within one segment: what they share is rendered once.
 * The value is `{"v":1,"object":…,"topic":…,"partition":…,"offset":…,"position":…,"length":…}`.
 */
export class ReferenceEncoder {
  readonly #head: string

  constructor(object: string, topic: string, partition: number) {
    this.#head = referenceHead({ object, topic, partition })
  }

  /** One reference value as JSON text; ASCII throughout. */
  encode(offset: number, position: number, length: number): string {
    return `${this.#head}${offset},"position":${position},"length":${length}}`
  }
}

/**
 * Reads the value of a record that names one message: its bytes or text, or the parsed object.
 * Throws SEAL_REFERENCE_INVALID for anything that `ReferenceEncoder` would not have written.
 */
export function parseReference(value: Uint8Array | string | Reference): Reference {
  const isText = typeof value === 'string' || value instanceof Uint8Array
  const raw = isText ? parseJson(value, REFERENCE_BYTES_MAX) : value
  if (typeof raw !== 'object' || raw === null) throw invalid('not an object')
  const fields = raw as Record<string, unknown>
  if ((isText || 'v' in fields) && fields.v !== REFERENCE_VERSION) {
    if (fields.v !== LIST_VERSION) throw invalid('a version that this reader does not know')
    throw namesSeveral('several')
  }
  const { object, topic, partition } = sharedFields(fields)
  const offset = count(fields, 'offset', 0, Number.MAX_SAFE_INTEGER)
  const position = count(fields, 'position', 0, SEGMENT_BYTES_MAX)
  // Bounded before a byte is asked for: a forged length must not fill the reader's memory.
  const lengthMax = Math.min(FRAME_BYTES_MAX, SEGMENT_BYTES_MAX - position)
  const length = count(fields, 'length', FRAME_OVERHEAD_BYTES, lengthMax)
  return { object, topic, partition, offset, position, length }
}

/** Object, topic and partition of a reference value, checked. Throws SEAL_REFERENCE_INVALID. */
export function sharedFields(
  fields: Readonly<Record<string, unknown>>,
): Pick<Reference, 'object' | 'topic' | 'partition'> {
  const { object, topic } = fields
  if (typeof object !== 'string' || !isSegmentKey(object)) {
    throw invalid('"object" is not the key of a segment')
  }
  if (typeof topic !== 'string' || topic.length > TOPIC_NAME_LENGTH_MAX || !TOPIC.test(topic)) {
    throw invalid('"topic" is not a Kafka topic name')
  }
  return { object, topic, partition: count(fields, 'partition', 0, 0x7fff_ffff) }
}

/** Whether `object` can be the key of a segment: one that stays in its bucket, whatever reads it. */
export function isSegmentKey(object: string): boolean {
  return OBJECT_KEY.test(object) && !object.includes('//')
}

/** The JSON of a reference value. Throws SEAL_REFERENCE_INVALID for what is longer, or none. */
export function parseJson(value: Uint8Array | string, bytesMax: number): unknown {
  if (value.length > bytesMax) throw invalid('too long')
  try {
    return JSON.parse(typeof value === 'string' ? value : Buffer.from(value).toString('utf8'))
  } catch {
    throw invalid('not JSON')
  }
}

/** The field `name`, which must be a whole number. Throws SEAL_REFERENCE_INVALID. */
export function count(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  min: number,
  max: number,
): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw invalid(`"${name}" is not a whole number from ${min} to ${max}`)
  }
  return value
}

/** What is said of a value that names several messages where one was asked for. */
export function namesSeveral(count: number | 'several'): SealError {
  return invalid(
    `it names ${count} messages; parseReferences and openMany take it, as it was written: from ${LIST_HEAD} on without blanks`,
  )
}

/** What every reader says of a value that is no reference. */
export function invalid(detail: string): SealError {
  return new SealError('SEAL_REFERENCE_INVALID', `reference refused: ${detail}`)
}
