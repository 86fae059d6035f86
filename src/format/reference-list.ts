import { isSealError } from '../errors.ts'
import { SEGMENT_BYTES_MAX } from '../limits.ts'
import { FRAME_OVERHEAD_BYTES } from './frame.ts'
import {
  count,
  FRAME_BYTES_MAX,
  invalid,
  LIST_HEAD,
  LIST_VERSION,
  parseJson,
  parseReference,
  type Reference,
  sharedFields,
} from './reference-value.ts'
import { type Cursor, readVarint, VARINT_BYTES_MAX, writeVarint } from './varint.ts'

/** Messages that one value names at most. */
const LIST_MESSAGES_MAX = 16_384
/** What their frames take at most, unless it is one: whoever opens a value has that much in memory. */
const LIST_FRAMES_BYTES_MAX = 8 * 1024 * 1024
/** Far above what the writer needs for so many messages of one partition. */
const LIST_VALUE_BYTES_MAX = 512 * 1024
const NUMBERS_PER_FRAME = 3

/** Where the frame of a message is: what a reference says beyond object, topic and partition. */
type Place = Pick<Reference, 'offset' | 'position' | 'length'>

/**
 * Encodes the references of one source within one segment, many to a value:
 * `{"v":2,"object":…,"topic":…,"partition":…,"offset":…,"position":…,"count":…,"frames":…}`. Offset and
 * position are those of the first message. `frames` is base64url of three varints a message: offsets
 * passed over since the one before, bytes passed over since the end of the frame before, and the
 * bytes of the frame. Offsets rise and frames follow each other, else a new value begins.
 */
export class ReferenceListWriter {
  readonly #head: string
  readonly #onValue: (value: string) => void
  readonly #first = { offset: 0, position: 0 }
  #steps = Buffer.allocUnsafe(4096)
  #stepBytes = 0
  #count = 0
  #nextOffset = 0
  #end = 0
  #frameBytes = 0

  /** `onValue` takes every value, ASCII, when it is complete. */
  constructor(
    { object, topic, partition }: Pick<Reference, 'object' | 'topic' | 'partition'>,
    onValue: (value: string) => void,
  ) {
    this.#head = JSON.stringify({ v: LIST_VERSION, object, topic, partition }).slice(0, -1)
    this.#onValue = onValue
  }

  add(offset: number, position: number, length: number): void {
    if (!this.#fits(offset, position, length)) this.flush()
    if (this.#count === 0) {
      Object.assign(this.#first, { offset, position })
      this.#nextOffset = offset
      this.#end = position
    }
    if (this.#steps.length - this.#stepBytes < NUMBERS_PER_FRAME * VARINT_BYTES_MAX) {
      this.#steps = Buffer.concat([this.#steps], this.#steps.length * 2)
    }
    let at = writeVarint(this.#steps, this.#stepBytes, offset - this.#nextOffset)
    at = writeVarint(this.#steps, at, position - this.#end)
    this.#stepBytes = writeVarint(this.#steps, at, length)
    this.#count++
    this.#nextOffset = offset + 1
    this.#end = position + length
    this.#frameBytes += length
  }

  /** Ends the value that is under way, if there is one. */
  flush(): void {
    if (this.#count === 0) return
    const { offset, position } = this.#first
    const frames = this.#steps.toString('base64url', 0, this.#stepBytes)
    const numbers = `"offset":${offset},"position":${position},"count":${this.#count}`
    this.#onValue(`${this.#head},${numbers},"frames":"${frames}"}`)
    this.#stepBytes = 0
    this.#count = 0
    this.#frameBytes = 0
  }

  #fits(offset: number, position: number, length: number): boolean {
    return (
      this.#count < LIST_MESSAGES_MAX &&
      this.#frameBytes + length <= LIST_FRAMES_BYTES_MAX &&
      offset >= this.#nextOffset &&
      position >= this.#end
    )
  }
}

/**
 * Reads the value of a record of a reference topic, whether it names one message or several: bytes,
 * text, or a parsed reference. At least one comes; they are in the order of their offsets.
 * Throws SEAL_REFERENCE_INVALID for what no encryptor would have written.
 */
export function parseReferences(value: Uint8Array | string | Reference): readonly Reference[] {
  return isReferenceList(value) ? parseList(value) : [parseReference(value)]
}

/** Whether a value is of the form that names several messages, well-formed or not. */
export function isReferenceList(
  value: Uint8Array | string | Reference,
): value is Uint8Array | string {
  if (typeof value === 'string') return value.startsWith(LIST_HEAD)
  if (!(value instanceof Uint8Array) || value.length < LIST_HEAD.length) return false
  for (let i = 0; i < LIST_HEAD.length; i++) {
    if (value[i] !== LIST_HEAD.charCodeAt(i)) return false
  }
  return true
}

function parseList(value: Uint8Array | string): Reference[] {
  const fields = parseJson(value, LIST_VALUE_BYTES_MAX) as Record<string, unknown>
  if (fields.v !== LIST_VERSION) throw invalid('a version that this reader does not know')
  const shared = sharedFields(fields)
  const offset = count(fields, 'offset', 0, Number.MAX_SAFE_INTEGER)
  const position = count(fields, 'position', 0, SEGMENT_BYTES_MAX)
  const messages = count(fields, 'count', 1, LIST_MESSAGES_MAX)
  const cursor: Cursor = { bytes: stepsOf(fields.frames), at: 0 }
  const references: Reference[] = []
  const at = { offset, end: position }
  let bytes = 0
  for (let i = 0; i < messages; i++) {
    const place = nextPlace(cursor, at)
    bytes += place.length
    references.push({ ...shared, ...place })
  }
  if (cursor.at !== cursor.bytes.length) throw invalid('"frames" names more messages than "count"')
  if (references[0]?.offset !== offset || references[0]?.position !== position) {
    throw invalid('"offset" and "position" are not those of the first message')
  }
  if (messages > 1 && bytes > LIST_FRAMES_BYTES_MAX)
    throw invalid('more bytes than one value names')
  return references
}

/** Reads the place of one message; `at` moves behind it. */
function nextPlace(cursor: Cursor, at: { offset: number; end: number }): Place {
  const offset = at.offset + step(cursor)
  const position = at.end + step(cursor)
  const length = step(cursor)
  const isFit =
    offset <= Number.MAX_SAFE_INTEGER &&
    length >= FRAME_OVERHEAD_BYTES &&
    length <= FRAME_BYTES_MAX &&
    position + length <= SEGMENT_BYTES_MAX
  if (!isFit) throw invalid('"frames" names a place that no segment has')
  at.offset = offset + 1
  at.end = position + length
  return { offset, position, length }
}

function step(cursor: Cursor): number {
  try {
    return readVarint(cursor)
  } catch (error) {
    if (!isSealError(error, 'SEAL_MALFORMED')) throw error
    throw invalid('"frames" is cut short or not in its shortest form')
  }
}

function stepsOf(frames: unknown): Buffer {
  if (typeof frames !== 'string') throw invalid('"frames" is missing')
  const bytes = Buffer.from(frames, 'base64url')
  // Buffer skips what is not base64url; only the canonical text may pass.
  if (bytes.toString('base64url') !== frames) throw invalid('"frames" is not base64url')
  return bytes
}
