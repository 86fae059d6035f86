import { SealError } from '../errors.ts'
import { HEADERS_PER_MESSAGE_MAX } from '../limits.ts'
import type { MessageContent, MessageHeader } from './message.ts'

/**
 * The plaintext of one frame (docs/format.md, "Parcel"), big-endian:
 * `version u8 | flags u8 | timestamp i64 | key | value | headerCount u16 | {name, value}*`, where
 * key, value and header values are `length i32 (-1 null) | bytes` and names `length u16 | bytes`.
 */
const PARCEL_VERSION = 1
/** In the place of a message that was destroyed; every byte behind it is zero. */
const SHREDDED_VERSION = 2
const FLAG_APPEND_TIME = 1
const FIXED_BYTES = 20
const HEADER_FIXED_BYTES = 6
const NAME_BYTES_MAX = 0xffff
const NULL_LENGTH = -1

/**
 * Bytes that the parcel of `content` takes.
 * Throws SEAL_MESSAGE_UNSEALABLE when it has more headers, or a longer header name, than fit.
 */
export function parcelBytes(content: MessageContent): number {
  let bytes = FIXED_BYTES + (content.key?.length ?? 0) + (content.value?.length ?? 0)
  if (content.headers.length > HEADERS_PER_MESSAGE_MAX) {
    throw unsealable(`${content.headers.length} headers; ${HEADERS_PER_MESSAGE_MAX} fit`)
  }
  for (const [name, value] of content.headers) {
    if (name.length > NAME_BYTES_MAX) {
      throw unsealable(`a header name of ${name.length} bytes; ${NAME_BYTES_MAX} fit`)
    }
    bytes += HEADER_FIXED_BYTES + name.length + (value?.length ?? 0)
  }
  return bytes
}

/** Writes the parcel at `at` into `target` and returns the position after it. */
export function writeParcel(target: Buffer, at: number, content: MessageContent): number {
  target[at] = PARCEL_VERSION
  target[at + 1] = content.timestampType === 'append' ? FLAG_APPEND_TIME : 0
  target.writeBigInt64BE(content.timestampMs, at + 2)
  let end = writeNullable(target, at + 10, content.key)
  end = writeNullable(target, end, content.value)
  target.writeUInt16BE(content.headers.length, end)
  end += 2
  for (const [name, value] of content.headers) {
    target.writeUInt16BE(name.length, end)
    target.set(name, end + 2)
    end = writeNullable(target, end + 2 + name.length, value)
  }
  return end
}

/** Puts a mark that says so in the place of a parcel of `length` bytes that is to be destroyed. */
export function writeShredded(target: Buffer, at: number, length: number): void {
  target.fill(0, at, at + length)
  target[at] = SHREDDED_VERSION
}

/** Whether these are the opened bytes of a message that was destroyed. */
export function isShredded(parcel: Uint8Array): boolean {
  return parcel[0] === SHREDDED_VERSION && parcel.every((byte, i) => byte === 0 || i === 0)
}

/**
 * Reads a parcel back. Key, value and headers are views of `bytes`, not copies.
 * Throws SEAL_MALFORMED unless the bytes are exactly one parcel in its canonical form, and
 * SEAL_SHREDDED for what {@link writeShredded} wrote.
 */
export function readParcel(bytes: Buffer): MessageContent {
  const cursor = { at: 0 }
  if (bytes.length < FIXED_BYTES) throw malformed()
  if (isShredded(bytes)) {
    throw new SealError('SEAL_SHREDDED', 'the message was destroyed on purpose, for good')
  }
  if (bytes[0] !== PARCEL_VERSION) throw malformed()
  const flags = bytes.readUInt8(1)
  if ((flags & ~FLAG_APPEND_TIME) !== 0) throw malformed()
  const timestampMs = bytes.readBigInt64BE(2)
  cursor.at = 10
  const key = readNullable(bytes, cursor)
  const value = readNullable(bytes, cursor)
  const headers = readHeaders(bytes, cursor)
  if (cursor.at !== bytes.length) throw malformed()
  const timestampType = (flags & FLAG_APPEND_TIME) === 0 ? 'create' : 'append'
  return { key, value, headers, timestampMs, timestampType }
}

function readHeaders(bytes: Buffer, cursor: { at: number }): MessageHeader[] {
  const count = need(bytes, cursor, 2).readUInt16BE(0)
  const headers: MessageHeader[] = []
  for (let i = 0; i < count; i++) {
    const nameLength = need(bytes, cursor, 2).readUInt16BE(0)
    const name = need(bytes, cursor, nameLength)
    headers.push([name, readNullable(bytes, cursor)])
  }
  return headers
}

function writeNullable(target: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) {
    target.writeInt32BE(NULL_LENGTH, at)
    return at + 4
  }
  target.writeInt32BE(bytes.length, at)
  target.set(bytes, at + 4)
  return at + 4 + bytes.length
}

function readNullable(bytes: Buffer, cursor: { at: number }): Buffer | null {
  const length = need(bytes, cursor, 4).readInt32BE(0)
  if (length === NULL_LENGTH) return null
  if (length < 0) throw malformed()
  return need(bytes, cursor, length)
}

/** The next `length` bytes as a view; moves the cursor behind them. */
function need(bytes: Buffer, cursor: { at: number }, length: number): Buffer {
  if (length > bytes.length - cursor.at) throw malformed()
  const view = bytes.subarray(cursor.at, cursor.at + length)
  cursor.at += length
  return view
}

function unsealable(detail: string): SealError {
  return new SealError('SEAL_MESSAGE_UNSEALABLE', detail)
}

/** Says nothing of where: a parcel is plaintext, and its content is no diagnostic. */
function malformed(): SealError {
  return new SealError('SEAL_MALFORMED', 'parcel: the opened bytes are not a message')
}
