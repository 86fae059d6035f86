import { SealError } from '../errors.ts'
import { ID_BYTES, idToBytes, idToText } from './ids.ts'

/** Bytes of the segment header, at offset 0 of every segment and, encoded, in its metadata. */
export const SEGMENT_HEADER_BYTES = 160
/** The part of the header that key derivation and commitment cover: all but the commitment. */
export const HEADER_PREFIX_BYTES = 128
export const SALT_BYTES = 32
export const COMMITMENT_BYTES = 32
export const CONTEXT_HASH_BYTES = 32
export const FORMAT_VERSION = 1
/** HKDF-SHA512, AES-256-GCM with 96-bit nonces and 128-bit tags. */
export const SUITE_AES_256_GCM = 1

/** High bit, CR LF and LF, as PNG has them: text-mode damage shows in the first eight bytes. */
const MAGIC = Buffer.from([0x89, 0x53, 0x53, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const MINUTE_MS = 60_000
const AT = {
  magic: 0,
  version: 8,
  suite: 9,
  headerLength: 10,
  flags: 12,
  segmentId: 16,
  generation: 32,
  reserved: 36,
  dekId: 40,
  salt: 56,
  createdAtMs: 88,
  contextHash: 96,
  commitment: HEADER_PREFIX_BYTES,
} as const

/** What the header says before its commitment (docs/format.md, "Header"). */
export interface SegmentHeaderFields {
  /** Stable over re-encryption. */
  readonly segmentId: string
  /** 1 at first writing, one more with each re-encryption. */
  readonly generation: number
  readonly dekId: string
  /** 32 random bytes, fresh for every writing of a segment: (key, nonce) can never repeat. */
  readonly salt: Uint8Array
  /** Stored rounded down to the minute: coarse on purpose. */
  readonly createdAtMs: number
  /** SHA-256 of the canonical KMS context. */
  readonly kmsContextHash: Uint8Array
}

/** A whole header as read; `prefix` and `commitment` are views of the bytes that were parsed. */
export interface SegmentHeader extends SegmentHeaderFields {
  readonly prefix: Uint8Array
  readonly commitment: Uint8Array
}

/** The first 128 bytes of a header. The result is the caller's. */
export function encodeHeaderPrefix(fields: SegmentHeaderFields): Uint8Array {
  const bytes = Buffer.alloc(HEADER_PREFIX_BYTES)
  MAGIC.copy(bytes, AT.magic)
  bytes.writeUInt8(FORMAT_VERSION, AT.version)
  bytes.writeUInt8(SUITE_AES_256_GCM, AT.suite)
  bytes.writeUInt16BE(SEGMENT_HEADER_BYTES, AT.headerLength)
  bytes.set(idToBytes(fields.segmentId), AT.segmentId)
  bytes.writeUInt32BE(fields.generation, AT.generation)
  bytes.set(idToBytes(fields.dekId), AT.dekId)
  bytes.set(exactly(fields.salt, SALT_BYTES, 'salt'), AT.salt)
  const minute = Math.floor(fields.createdAtMs / MINUTE_MS) * MINUTE_MS
  bytes.writeBigInt64BE(BigInt(minute), AT.createdAtMs)
  bytes.set(exactly(fields.kmsContextHash, CONTEXT_HASH_BYTES, 'context hash'), AT.contextHash)
  return bytes
}

/** Joins a prefix and its commitment to the 160 bytes of a header. */
export function joinHeader(prefix: Uint8Array, commitment: Uint8Array): Uint8Array {
  exactly(prefix, HEADER_PREFIX_BYTES, 'header prefix')
  return Buffer.concat([prefix, exactly(commitment, COMMITMENT_BYTES, 'commitment')])
}

/**
 * Reads a header. Structure only: whether it belongs to the key is what the commitment tells.
 * Throws SEAL_MALFORMED, or SEAL_SUITE_UNKNOWN for a version or suite that this reader does not know.
 */
export function decodeHeader(bytes: Uint8Array): SegmentHeader {
  if (bytes.length !== SEGMENT_HEADER_BYTES) {
    throw malformed(`header of ${bytes.length} bytes instead of ${SEGMENT_HEADER_BYTES}`)
  }
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!view.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed('wrong magic bytes')
  const version = view.readUInt8(AT.version)
  const suite = view.readUInt8(AT.suite)
  if (version !== FORMAT_VERSION || suite !== SUITE_AES_256_GCM) {
    throw new SealError(
      'SEAL_SUITE_UNKNOWN',
      `segment of format version ${version}, suite ${suite}; this reader knows version 1, suite 1`,
    )
  }
  if (view.readUInt16BE(AT.headerLength) !== SEGMENT_HEADER_BYTES) {
    throw malformed('wrong header length')
  }
  if (view.readUInt32BE(AT.flags) !== 0) throw malformed('unknown flags')
  if (view.readUInt32BE(AT.reserved) !== 0) throw malformed('reserved bytes are not zero')
  const generation = view.readUInt32BE(AT.generation)
  if (generation === 0) throw malformed('generation 0')
  return {
    segmentId: idToText(view.subarray(AT.segmentId, AT.segmentId + ID_BYTES)),
    generation,
    dekId: idToText(view.subarray(AT.dekId, AT.dekId + ID_BYTES)),
    salt: view.subarray(AT.salt, AT.salt + SALT_BYTES),
    createdAtMs: Number(view.readBigInt64BE(AT.createdAtMs)),
    kmsContextHash: view.subarray(AT.contextHash, AT.contextHash + CONTEXT_HASH_BYTES),
    prefix: view.subarray(0, HEADER_PREFIX_BYTES),
    commitment: view.subarray(AT.commitment),
  }
}

function exactly(bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length !== length) throw malformed(`${what} of ${bytes.length} bytes, not ${length}`)
  return bytes
}

function malformed(detail: string): SealError {
  return new SealError('SEAL_MALFORMED', `segment header: ${detail}`)
}
