import { crc32c } from '@node-rs/crc32'
import { encodeRecord, type RecordContent } from './records.ts'

const HEADER_BYTES = 61
const LENGTH_END = 12
const CHECKED_FROM = 21
const MAGIC = 2
const NONE = -1

/**
 * Records that are encoded once and sent as often as wanted: a batch is a new header of 61 bytes
 * before as many of them as are due, so producing costs a checksum and a write.
 */
export class BatchTemplate {
  readonly contents: readonly RecordContent[]
  readonly #records: Buffer
  /** Where each record ends. */
  readonly #ends: readonly number[]
  #last: { readonly count: number; readonly timestampMs: number; readonly header: Buffer } | null =
    null

  constructor(contents: readonly RecordContent[]) {
    this.contents = contents
    const records = contents.map((content, i) => encodeRecord(content, i))
    let end = 0
    this.#ends = records.map((record) => {
      end += record.length
      return end
    })
    this.#records = Buffer.concat(records)
  }

  /** The first `count` records as one batch: its header and its records, to be written in this order. */
  batch(count: number, timestampMs: number): readonly [header: Buffer, records: Buffer] {
    const records = this.#records.subarray(0, this.#ends[count - 1])
    if (this.#last?.count !== count || this.#last.timestampMs !== timestampMs) {
      this.#last = { count, timestampMs, header: headerOf(count, timestampMs, records) }
    }
    return [this.#last.header, records]
  }
}

/** As of a producer that is neither idempotent nor transactional, without compression. */
function headerOf(count: number, timestampMs: number, records: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeInt32BE(HEADER_BYTES - LENGTH_END + records.length, 8)
  header.writeInt32BE(NONE, 12) // leader epoch
  header.writeInt8(MAGIC, 16)
  header.writeInt32BE(count - 1, 23) // last offset delta
  header.writeBigInt64BE(BigInt(timestampMs), 27)
  header.writeBigInt64BE(BigInt(timestampMs), 35)
  header.writeBigInt64BE(BigInt(NONE), 43) // producer id
  header.writeInt16BE(NONE, 51) // producer epoch
  header.writeInt32BE(NONE, 53) // sequence
  header.writeInt32BE(count, 57)
  header.writeUInt32BE(crc32c(records, crc32c(header.subarray(CHECKED_FROM))), 17)
  return header
}
