import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { MessageHeader } from '../../src/format/message.ts'

/** One record as a producer may write it: bytes throughout, headers in any order. */
export interface RawRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly MessageHeader[]
  readonly timestampMs: bigint
}

/** How the records of a batch are compressed. */
export type Compression = 'none' | 'gzip' | 'zstd'

const ATTRIBUTES: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 }
const MAGIC = 2
/** Partition leader epoch and magic stand between the length and the checksum. */
const CHECKED_FROM = 21

/**
 * Encodes a v2 record batch by the text of the Kafka protocol, independent of any client library:
 * those cannot write null header values, header names that are no text, or an order of their own.
 */
export function encodeRecordBatch(records: readonly RawRecord[], compression: Compression): Buffer {
  const times = records.map(({ timestampMs }) => timestampMs)
  const baseMs = times[0] ?? 0n
  const maxMs = times.toSorted((a, b) => (a < b ? -1 : 1)).at(-1) ?? baseMs
  const plain = Buffer.concat(records.map((record, i) => encodeRecord(record, i, baseMs)))
  const body = Buffer.concat([
    int16(ATTRIBUTES[compression]),
    int32(records.length - 1),
    int64(baseMs),
    int64(maxMs),
    // No idempotent producer: id, epoch and sequence are -1.
    Buffer.alloc(14, 0xff),
    int32(records.length),
    compressed(plain, compression),
  ])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32c(body))
  const head = [int32(-1), Buffer.from([MAGIC]), checksum]
  const lengthBytes = CHECKED_FROM - 12 + body.length
  return Buffer.concat([int64(0n), int32(lengthBytes), ...head, body])
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
  if (compression === 'gzip') return gzipSync(plain)
  return compression === 'zstd' ? zstdCompressSync(plain) : plain
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

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC32C_TABLE[(crc ^ byte) & 0xff] as number)
  return (crc ^ 0xffffffff) >>> 0
}
