import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { decompressFrameSync } from 'lz4-napi'
import { uncompressSync } from 'snappy'
import { RECORD_BATCH_BYTES_MAX } from '../../limits.ts'

const gunzip = promisify(zlib.gunzip)
const unzstd = promisify(zlib.zstdDecompress)

/** What a batch may become; zlib stops there, the two others are asked for their size first. */
const BOUNDED = { maxOutputLength: RECORD_BATCH_BYTES_MAX }

/** By the number in the attributes of a batch. */
const CODECS: Readonly<Record<number, (bytes: Buffer) => Buffer | Promise<Buffer>>> = {
  1: (bytes) => gunzip(bytes, BOUNDED),
  2: unsnappy,
  3: unlz4,
  4: (bytes) => unzstd(bytes, BOUNDED),
}

/** What keeps records from being read; the message says it in half a sentence. */
export class UnreadableRecords extends Error {
  override readonly name = 'UnreadableRecords'
}

/**
 * The records of a batch, decompressed: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. Throws
 * UnreadableRecords for other codecs, for bytes that are no such stream, and for those that would
 * become more than RECORD_BATCH_BYTES_MAX, before they do.
 */
export async function decompress(codec: number, bytes: Buffer): Promise<Buffer> {
  if (codec === 0) return bytes
  const decoder = CODECS[codec]
  if (decoder === undefined) {
    throw new UnreadableRecords(
      `is compressed by codec ${codec}; gzip, snappy, lz4 and zstd are read`,
    )
  }
  try {
    return await decoder(bytes)
  } catch (error) {
    if (error instanceof UnreadableRecords) throw error
    if (isTooLarge(error)) throw tooLarge()
    throw new UnreadableRecords('cannot be decompressed', { cause: error })
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
}

function tooLarge(): UnreadableRecords {
  const mebibytes = RECORD_BATCH_BYTES_MAX / 1024 / 1024
  return new UnreadableRecords(`holds more than ${mebibytes} MiB when it is decompressed`)
}

/** What snappy-java puts before its blocks: a mark, a version, and the oldest one that can read it. */
const XERIAL_MARK = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = XERIAL_MARK.length + 8

/** Java clients write blocks in the frame of snappy-java, each behind its length; others one bare block. */
function unsnappy(bytes: Buffer): Buffer {
  const isFramed = bytes.subarray(0, XERIAL_MARK.length).equals(XERIAL_MARK)
  const blocks = isFramed ? xerialBlocks(bytes) : [bytes]
  let total = 0
  for (const block of blocks) {
    total += snappyLength(block)
    if (total > RECORD_BATCH_BYTES_MAX) throw tooLarge()
  }
  const plain = blocks.map((block) => uncompressSync(block) as Buffer)
  return plain.length === 1 ? (plain[0] as Buffer) : Buffer.concat(plain)
}

function xerialBlocks(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new RangeError('a block ends behind its frame')
    blocks.push(bytes.subarray(at + 4, end))
    at = end
  }
  return blocks
}

/** The size that a block says it has, an unsigned varint; the decompressor holds it to that. */
function snappyLength(block: Buffer): number {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return length
  }
  throw new RangeError('a block does not say its size')
}

function unlz4(bytes: Buffer): Buffer {
  if (lz4LengthMax(bytes) > RECORD_BATCH_BYTES_MAX) throw tooLarge()
  return decompressFrameSync(bytes)
}

/** Bits of the first byte of a frame's descriptor. */
const LZ4_BLOCK_CHECKSUM = 0x10
const LZ4_CONTENT_SIZE = 0x08
const LZ4_DICTIONARY_ID = 0x01
/** Of a block's length: the block is stored as it is. */
const LZ4_STORED = 0x80000000
/** One byte of a block becomes 255 at the very most. */
const LZ4_GAIN_MAX = 255

/** The most that an LZ4 frame can become, by the lengths of its blocks alone. */
function lz4LengthMax(bytes: Buffer): number {
  const flags = bytes.readUInt8(4)
  const blockBytesMax = 2 ** (8 + 2 * ((bytes.readUInt8(5) >> 4) & 7))
  const sizeBytes = flags & LZ4_CONTENT_SIZE ? 8 : 0
  const dictionaryBytes = flags & LZ4_DICTIONARY_ID ? 4 : 0
  const checksumBytes = flags & LZ4_BLOCK_CHECKSUM ? 4 : 0
  let total = 0
  for (let at = 7 + sizeBytes + dictionaryBytes; ; ) {
    const word = bytes.readUInt32LE(at)
    const length = word % LZ4_STORED
    if (length === 0) return total
    total += word >= LZ4_STORED ? length : Math.min(length * LZ4_GAIN_MAX, blockBytesMax)
    at += 4 + length + checksumBytes
  }
}
