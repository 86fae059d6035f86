import { SealError } from '../errors.ts'

/** `frameLength u32 | seq u32 | sourceOffset i64 | source u16 | flags u8 | 0 u8`, big-endian. */
export const FRAME_HEADER_BYTES = 20
export const TAG_BYTES = 16
/** What a frame is longer than its parcel. */
export const FRAME_OVERHEAD_BYTES = FRAME_HEADER_BYTES + TAG_BYTES

/** The clear part of a frame; all of it is authenticated. */
export interface FrameHeader {
  /** The whole frame: this header, the ciphertext and the tag. */
  readonly frameBytes: number
  /** Number of the frame in its segment; the nonce follows from it. */
  readonly seq: number
  /** Offset of the message in its source partition. */
  readonly offset: number
  /** Index of the (topic, partition) in the source table of the segment. */
  readonly source: number
}

/** Writes a frame header at `at` into `target`, which stays the caller's. */
export function writeFrameHeader(target: Buffer, at: number, header: FrameHeader): void {
  target.writeUInt32BE(header.frameBytes, at)
  target.writeUInt32BE(header.seq, at + 4)
  target.writeUInt32BE(Math.floor(header.offset / 0x1_0000_0000), at + 8)
  target.writeUInt32BE(header.offset >>> 0, at + 12)
  target.writeUInt16BE(header.source, at + 16)
  target.writeUInt16BE(0, at + 18)
}

/**
 * Reads the frame header at `at` and checks that the frame lies within `bytes`.
 * Throws SEAL_MALFORMED.
 */
export function readFrameHeader(bytes: Buffer, at: number): FrameHeader {
  if (bytes.length - at < FRAME_OVERHEAD_BYTES) throw malformed('too short')
  const frameBytes = bytes.readUInt32BE(at)
  if (frameBytes < FRAME_OVERHEAD_BYTES || frameBytes > bytes.length - at) {
    throw malformed('its length does not fit')
  }
  if (bytes.readUInt16BE(at + 18) !== 0) throw malformed('unknown flags')
  const high = bytes.readUInt32BE(at + 8)
  if (high > 0x1f_ffff) throw malformed('offset beyond 2^53')
  return {
    frameBytes,
    seq: bytes.readUInt32BE(at + 4),
    offset: high * 0x1_0000_0000 + bytes.readUInt32BE(at + 12),
    source: bytes.readUInt16BE(at + 16),
  }
}

function malformed(detail: string): SealError {
  return new SealError('SEAL_MALFORMED', `frame: ${detail}`)
}
