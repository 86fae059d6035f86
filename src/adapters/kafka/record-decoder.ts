import type { Message, MessageHeader, TimestampType } from '../../format/message.ts'

/** What the records of a batch have from its header. */
export interface BatchTimes {
  readonly firstOffset: number
  readonly lastOffset: number
  /** Of the batch: for `create` the base of its records' times, for `append` their time. */
  readonly timestampMs: bigint
  readonly timestampType: TimestampType
}

/** A message on its way through kafkajs: who reads it on fills in topic and partition. */
export type DecodedRecord = { -readonly [K in keyof Message]: Message[K] }

interface Cursor {
  at: number
}

/**
 * The records of a v2 batch (Kafka protocol, "Record"): `length varint | attributes i8 |
 * timestampDelta varlong | offsetDelta varint | key | value | headers`, lengths as zigzag varints,
 * -1 for null. Headers stay a list of name bytes and value, exactly as they stand. Keys, values and
 * headers are views of `bytes`.
 *
 * Every walk makes the messages anew, one at a time: what one fetch brings is thousands of them, and
 * as objects that wait together they would cost the garbage collector more than all else that is
 * done with them.
 */
export class BatchRecords implements Iterable<DecodedRecord> {
  readonly #count: number
  readonly #bytes: Buffer
  readonly #batch: BatchTimes

  /** Throws RangeError unless `bytes` are `count` whole records whose offsets rise within the batch. */
  constructor(bytes: Buffer, count: number, batch: BatchTimes) {
    checkRecords(bytes, count, batch)
    this.#count = count
    this.#bytes = bytes
    this.#batch = batch
  }

  *[Symbol.iterator](): Generator<DecodedRecord> {
    const cursor = { at: 0 }
    for (let i = 0; i < this.#count; i++) yield decodeRecord(this.#bytes, cursor, this.#batch)
  }
}

/** Walks the records without making any, so that those that are made later are known to be sound. */
function checkRecords(bytes: Buffer, count: number, batch: BatchTimes): void {
  const cursor = { at: 0 }
  let offsetMin = batch.firstOffset
  for (let i = 0; i < count; i++) {
    const length = readVarint(bytes, cursor)
    const end = cursor.at + length
    cursor.at++
    skipVarlong(bytes, cursor)
    const offset = batch.firstOffset + readVarint(bytes, cursor)
    skipBytes(bytes, cursor)
    skipBytes(bytes, cursor)
    skipHeaders(bytes, cursor)
    if (cursor.at !== end) throw new RangeError('a record has another length than it says')
    if (offset < offsetMin || offset > batch.lastOffset) {
      throw new RangeError('the offset of a record lies outside its place')
    }
    offsetMin = offset + 1
  }
  if (cursor.at !== bytes.length) throw new RangeError('bytes follow the last record')
}

/** False for null. */
function skipBytes(bytes: Buffer, cursor: Cursor): boolean {
  const length = readVarint(bytes, cursor)
  if (length < 0) return false
  if (length > bytes.length - cursor.at) throw new RangeError('a record ends before its content')
  cursor.at += length
  return true
}

function skipHeaders(bytes: Buffer, cursor: Cursor): void {
  const count = readVarint(bytes, cursor)
  for (let i = 0; i < count; i++) {
    if (!skipBytes(bytes, cursor)) throw new RangeError('a record header has no name')
    skipBytes(bytes, cursor)
  }
}

function skipVarlong(bytes: Buffer, cursor: Cursor): void {
  for (let i = 0; i < 10; i++) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) break
    if (byte < 0x80) return
  }
  throw new RangeError('a varint of a record does not end')
}

/** From here on the records are sound: they were checked. */
function decodeRecord(bytes: Buffer, cursor: Cursor, batch: BatchTimes): DecodedRecord {
  readVarint(bytes, cursor)
  cursor.at++
  const timestampDelta = readVarlong(bytes, cursor)
  const offset = batch.firstOffset + readVarint(bytes, cursor)
  const key = readBytes(bytes, cursor)
  const value = readBytes(bytes, cursor)
  const headers = readHeaders(bytes, cursor)
  const { timestampMs, timestampType } = batch
  return {
    topic: '',
    partition: -1,
    offset,
    key,
    value,
    headers,
    timestampMs: timestampType === 'append' ? timestampMs : timestampMs + timestampDelta,
    timestampType,
  }
}

function readHeaders(bytes: Buffer, cursor: Cursor): readonly MessageHeader[] {
  const count = readVarint(bytes, cursor)
  if (count <= 0) return NO_HEADERS
  const headers: MessageHeader[] = []
  for (let i = 0; i < count; i++) {
    headers.push([readBytes(bytes, cursor) as Buffer, readBytes(bytes, cursor)])
  }
  return headers
}

const NO_HEADERS: readonly MessageHeader[] = Object.freeze([])

function readBytes(bytes: Buffer, cursor: Cursor): Buffer | null {
  const length = readVarint(bytes, cursor)
  if (length < 0) return null
  const view = bytes.subarray(cursor.at, cursor.at + length)
  cursor.at += length
  return view
}

/** A zigzag varint of 32 bits. */
function readVarint(bytes: Buffer, cursor: Cursor): number {
  let raw = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) break
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
  }
  throw new RangeError('a varint of a record does not end')
}

/** A zigzag varint of 64 bits. */
function readVarlong(bytes: Buffer, cursor: Cursor): bigint {
  const first = bytes[cursor.at] as number
  if (first < 0x80) {
    cursor.at++
    return BigInt((first >>> 1) ^ -(first & 1))
  }
  let raw = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[cursor.at++] as number
    raw |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n))
  }
}
