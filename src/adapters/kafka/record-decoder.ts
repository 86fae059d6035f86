import type { Message, MessageHeader, TimestampType } from '../../format/message.ts'

/** What the records of a batch have from its header. */
export interface BatchTimes {
  readonly firstOffset: number
  readonly lastOffset: number
  /** Of the batch: for `create` the base of its records' times, for `append` their time. */
  readonly timestampMs: bigint
  readonly timestampType: TimestampType
}

/** A message on its way through kafkajs: the source fills in topic and partition afterwards. */
export type DecodedRecord = { -readonly [K in keyof Message]: Message[K] }

/**
 * Decodes the records of a v2 batch (Kafka protocol, "Record"): `length varint | attributes i8 |
 * timestampDelta varlong | offsetDelta varint | key | value | headers`, lengths as zigzag varints,
 * -1 for null. Headers stay a list of name bytes and value, exactly as they stand. Keys, values and
 * headers are views of `bytes`. Throws RangeError unless `bytes` are `count` whole records whose
 * offsets rise within the batch.
 */
export function decodeRecords(bytes: Buffer, count: number, batch: BatchTimes): DecodedRecord[] {
  const records: DecodedRecord[] = []
  const cursor = { at: 0 }
  let offsetMin = batch.firstOffset
  for (let i = 0; i < count; i++) {
    const length = readVarint(bytes, cursor)
    const end = cursor.at + length
    const record = decodeRecord(bytes, cursor, batch)
    if (cursor.at !== end) throw new RangeError('a record has another length than it says')
    if (record.offset < offsetMin || record.offset > batch.lastOffset) {
      throw new RangeError('the offset of a record lies outside its place')
    }
    offsetMin = record.offset + 1
    records.push(record)
  }
  if (cursor.at !== bytes.length) throw new RangeError('bytes follow the last record')
  return records
}

function decodeRecord(bytes: Buffer, cursor: { at: number }, batch: BatchTimes): DecodedRecord {
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

function readHeaders(bytes: Buffer, cursor: { at: number }): readonly MessageHeader[] {
  const count = readVarint(bytes, cursor)
  if (count <= 0) return NO_HEADERS
  const headers: MessageHeader[] = []
  for (let i = 0; i < count; i++) {
    const name = readBytes(bytes, cursor)
    if (name === null) throw new RangeError('a record header has no name')
    headers.push([name, readBytes(bytes, cursor)])
  }
  return headers
}

const NO_HEADERS: readonly MessageHeader[] = Object.freeze([])

function readBytes(bytes: Buffer, cursor: { at: number }): Buffer | null {
  const length = readVarint(bytes, cursor)
  if (length < 0) return null
  const end = cursor.at + length
  if (end > bytes.length) throw new RangeError('a record ends before its content')
  const view = bytes.subarray(cursor.at, end)
  cursor.at = end
  return view
}

/** A zigzag varint of 32 bits. */
function readVarint(bytes: Buffer, cursor: { at: number }): number {
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
function readVarlong(bytes: Buffer, cursor: { at: number }): bigint {
  const first = bytes[cursor.at]
  if (first !== undefined && first < 0x80) {
    cursor.at++
    return BigInt((first >>> 1) ^ -(first & 1))
  }
  let raw = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) break
    raw |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n))
  }
  throw new RangeError('a varint of a record does not end')
}
