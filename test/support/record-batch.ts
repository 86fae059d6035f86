import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import type { MessageHeader } from '../../src/format/message.ts'

/** One record as a producer may write it: bytes throughout, headers in any order. */
export interface RawRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly MessageHeader[]
  readonly timestampMs: bigint
}

/** How the records of a batch are compressed; snappy bare, or in the frame of snappy-java. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'snappy-java' | 'lz4' | 'zstd'

/** What a batch says of itself besides its records. */
export interface BatchHead {
  readonly baseOffset: number
  /** The number of the codec and the flags. */
  readonly attributes: number
  readonly producerId: bigint
}

const CODECS: Readonly<Record<Compression, number>> = {
  none: 0,
  gzip: 1,
  snappy: 2,
  'snappy-java': 2,
  lz4: 3,
  zstd: 4,
}
const XERIAL_HEADER = Buffer.from('82534e415050590000000001 00000001'.replaceAll(' ', ''), 'hex')
/** As small as a test needs it to have several blocks. */
const XERIAL_BLOCK_BYTES = 1024
const MAGIC = 2
/** Partition leader epoch and magic stand between the length and the checksum. */
const CHECKED_FROM = 21

/**
 * Encodes a v2 record batch by the text of the Kafka protocol, independent of any client library:
 * those cannot write null header values, header names that are no text, or an order of their own.
 */
export function encodeRecordBatch(
  records: readonly RawRecord[],
  compression: Compression,
  head: Partial<BatchHead> = {},
): Buffer {
  const { baseOffset = 0, attributes = 0, producerId = -1n } = head
  const times = records.map(({ timestampMs }) => timestampMs)
  const baseMs = times[0] ?? 0n
  const maxMs = times.toSorted((a, b) => (a < b ? -1 : 1)).at(-1) ?? baseMs
  const plain = Buffer.concat(records.map((record, i) => encodeRecord(record, i, baseMs)))
  const body = Buffer.concat([
    int16(CODECS[compression] | attributes),
    int32(records.length - 1),
    int64(baseMs),
    int64(maxMs),
    int64(producerId),
    // No idempotent producer: epoch and sequence are -1.
    Buffer.alloc(6, 0xff),
    int32(records.length),
    compressed(plain, compression),
  ])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32c(body))
  const checked = [int32(-1), Buffer.from([MAGIC]), checksum]
  const lengthBytes = CHECKED_FROM - 12 + body.length
  return Buffer.concat([int64(BigInt(baseOffset)), int32(lengthBytes), ...checked, body])
}

function encodeRecord(record: RawRecord, offsetDelta: number, baseMs: bigint): Buffer {
  const { key, value, headers, timestampMs } = record
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timestampMs - baseMs),
    varint(BigInt(offsetDelta)),
    sized(key),
    sized(value),
    varint(BigInt(headers.length)),
    ...headers.flatMap(([name, content]) => [sized(name), sized(content)]),
  ])
  return Buffer.concat([varint(BigInt(body.length)), body])
}

function compressed(plain: Buffer, compression: Compression): Buffer {
  switch (compression) {
    case 'none':
      return plain
    case 'gzip':
      return gzipSync(plain)
    case 'snappy':
      return compressSync(plain)
    case 'snappy-java':
      return xerialFrame(plain)
    case 'lz4':
      return compressFrameSync(plain)
    case 'zstd':
      return zstdCompressSync(plain)
  }
}

function xerialFrame(plain: Buffer): Buffer {
  const blocks: Buffer[] = []
  for (let at = 0; at < plain.length; at += XERIAL_BLOCK_BYTES) {
    const block = compressSync(plain.subarray(at, at + XERIAL_BLOCK_BYTES))
    blocks.push(int32(block.length), block)
  }
  return Buffer.concat([XERIAL_HEADER, ...blocks])
}

function sized(bytes: Uint8Array | null): Buffer {
  return bytes === null ? varint(-1n) : Buffer.concat([varint(BigInt(bytes.length)), bytes])
}

/** A zigzag varint. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

/** Two bytes, big-endian. */
export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

/** Four bytes, big-endian. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
