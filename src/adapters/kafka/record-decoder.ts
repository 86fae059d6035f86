import type { Message, MessageHeader, TimestampType } from '../../format/message.ts'

/** What kafkajs hands its record decoder: the bytes of one record, from its attributes on. */
interface RecordBytes {
  readonly buffer: Buffer
  offset: number
}

/** What kafkajs knows of the batch around the record. */
interface BatchContext {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly maxTimestamp: string
  readonly timestampType: number
  readonly magicByte: number
  readonly isControlBatch?: boolean
}

/** A message on its way through kafkajs: the source fills in topic and partition afterwards. */
export type DecodedRecord = { -readonly [K in keyof Message]: Message[K] } & {
  /** kafkajs filters control records by this field. */
  readonly isControlRecord: boolean
  /** kafkajs finds aborted transactions by this field. */
  readonly batchContext: BatchContext
}

const LOG_APPEND_TIME = 1

/** Numbers of the batch that the last record came from: parsing them once a record is dear. */
let known: {
  context: BatchContext
  base: number
  timestampMs: bigint
  type: TimestampType
} | null = null

/**
 * Decodes one record of a v2 batch (Kafka protocol, "Record"): `attributes i8 | timestampDelta
 * varlong | offsetDelta varint | key | value | headers`, lengths as zigzag varints, -1 for null.
 * Unlike kafkajs it keeps headers as a list of name bytes and value, exactly as they stand. Key,
 * value and headers are views of the fetch response.
 */
export function decodeRecord(record: RecordBytes, context: BatchContext): DecodedRecord {
  const batch = batchOf(context)
  const bytes = record.buffer
  const cursor = { at: record.offset + 1 }
  const timestampDelta = readVarlong(bytes, cursor)
  const offset = batch.base + readVarint(bytes, cursor)
  if (!Number.isSafeInteger(offset)) throw new RangeError(`offset ${offset} is beyond 2^53`)
  const key = readBytes(bytes, cursor)
  const value = readBytes(bytes, cursor)
  const headers = readHeaders(bytes, cursor)
  record.offset = cursor.at
  return {
    topic: '',
    partition: -1,
    offset,
    key,
    value,
    headers,
    timestampMs: batch.type === 'append' ? batch.timestampMs : batch.timestampMs + timestampDelta,
    timestampType: batch.type,
    isControlRecord: context.isControlBatch ?? false,
    batchContext: context,
  }
}

function batchOf(context: BatchContext) {
  if (known?.context !== context) {
    const isAppendTime = context.timestampType === LOG_APPEND_TIME
    known = {
      context,
      base: Number(context.firstOffset),
      timestampMs: BigInt(isAppendTime ? context.maxTimestamp : context.firstTimestamp),
      type: isAppendTime ? 'append' : 'create',
    }
  }
  return known
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
