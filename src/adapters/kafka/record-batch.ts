import { crc32c } from '@node-rs/crc32'
import { RECORD_BATCH_BYTES_MAX } from '../../limits.ts'
import { decompress, UnreadableRecords } from './codecs.ts'
import { BatchRecords, type DecodedRecord } from './record-decoder.ts'
import { responseMemory } from './response-memory.ts'

/** The response of a fetch as kafkajs hands it over, at the records of one partition. */
interface ResponseCursor {
  readonly buffer: Buffer
  offset: number
}

/** A record batch (Kafka protocol, "Record Batch"), read and checked. */
export interface RecordBatch {
  readonly firstOffset: number
  /** Of the batch as it was written: compaction may have taken the last records away. */
  readonly lastOffset: number
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** Its one record is a transaction marker and no message. */
  readonly isControl: boolean
  /** Every walk makes them anew. */
  readonly records: Iterable<DecodedRecord>
}

/** Why a batch cannot be read, in half a sentence, and where it stands. */
export interface Unreadable {
  readonly offset: number
  readonly reason: string
}

/** What one fetch gave of one partition. */
export interface RecordSet {
  readonly batches: readonly RecordBatch[]
  /** Where they stand in the response, whose memory the set holds ({@link ResponseMemory}). */
  readonly bytes: Buffer
  /** The batch behind the last of `batches` cannot be read. */
  readonly failure: Unreadable | null
}

/** Offset and length, which stand before what the length counts. */
const LENGTH_END = 12
const MAGIC_AT = 16
const MAGIC = 2
const CHECKSUM_AT = 17
const CHECKED_FROM = 21
const RECORDS_FROM = 61
const CODEC_MASK = 0x07
const APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/**
 * Reads the record batches of one partition, in place of kafkajs' own decoder, which checks no
 * checksum, knows one codec and fails on batches of very many records. A batch that cannot be read
 * ends the set: what came before it stands, nothing of it or behind it is handed on. Moves the cursor
 * behind the records. What one set holds decompressed is bounded; the next fetch has the rest.
 */
export async function decodeRecordSet(response: ResponseCursor): Promise<RecordSet> {
  const start = response.offset + 4
  const end = start + Math.max(0, response.buffer.readInt32BE(response.offset))
  if (end > response.buffer.length) throw new RangeError('a fetch response ends in its records')
  response.offset = end
  const set = response.buffer.subarray(start, end)
  if (set.length > 0) responseMemory.hold(set)
  const batches: RecordBatch[] = []
  let next = -1
  let plainBytes = 0
  for (let at = 0; at + LENGTH_END <= set.length && plainBytes < RECORD_BATCH_BYTES_MAX; ) {
    const batchEnd = at + LENGTH_END + set.readInt32BE(at + 8)
    // The broker cuts what does not fit, but never the first batch.
    if (batchEnd > set.length && at > 0) break
    const bytes = set.subarray(at, Math.max(at, batchEnd))
    const offset = Number(set.readBigInt64BE(at))
    try {
      checkBatch(bytes, batchEnd - at, next)
      const records = await decompress(
        bytes.readInt16BE(CHECKED_FROM) & CODEC_MASK,
        bytes.subarray(RECORDS_FROM),
      )
      plainBytes += records.length
      batches.push(batchOf(bytes, records))
    } catch (error) {
      const failure = { offset: Math.max(offset, next), reason: reasonOf(error) }
      return { batches, bytes: set, failure }
    }
    next = (batches.at(-1) as RecordBatch).lastOffset + 1
    at = batchEnd
  }
  return { batches, bytes: set, failure: null }
}

/** Throws UnreadableRecords unless the bytes are those that the broker took in. */
function checkBatch(bytes: Buffer, length: number, offsetMin: number): void {
  const magic = bytes[MAGIC_AT]
  if (magic !== undefined && magic !== MAGIC) {
    throw new UnreadableRecords(`has the message format ${magic}; only ${MAGIC} is read`)
  }
  if (length < RECORDS_FROM || bytes.length < length) {
    throw new UnreadableRecords('is damaged: its length is wrong')
  }
  if (crc32c(bytes.subarray(CHECKED_FROM)) !== bytes.readUInt32BE(CHECKSUM_AT)) {
    throw new UnreadableRecords('is damaged: its CRC-32C is wrong')
  }
  const first = bytes.readBigInt64BE(0)
  const last = first + BigInt(bytes.readInt32BE(CHECKED_FROM + 2))
  if (first < BigInt(offsetMin) || last < first) {
    throw new UnreadableRecords('is damaged: its offset is wrong')
  }
  if (last >= BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new UnreadableRecords('has an offset beyond 2^53')
  }
}

/** The batch whose header is in `bytes`, and whose records are `plain`. */
function batchOf(bytes: Buffer, plain: Buffer): RecordBatch {
  const attributes = bytes.readInt16BE(CHECKED_FROM)
  const firstOffset = Number(bytes.readBigInt64BE(0))
  const lastOffset = firstOffset + bytes.readInt32BE(CHECKED_FROM + 2)
  const isAppendTime = (attributes & APPEND_TIME) !== 0
  return {
    firstOffset,
    lastOffset,
    producerId: bytes.readBigInt64BE(CHECKED_FROM + 22),
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    records: new BatchRecords(plain, bytes.readInt32BE(CHECKED_FROM + 36), {
      firstOffset,
      lastOffset,
      // The first time is what the records' own are added to, the largest is the broker's.
      timestampMs: bytes.readBigInt64BE(CHECKED_FROM + (isAppendTime ? 14 : 6)),
      timestampType: isAppendTime ? 'append' : 'create',
    }),
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof UnreadableRecords) return error.message
  if (error instanceof RangeError) return `is damaged: ${error.message}`
  throw error
}
