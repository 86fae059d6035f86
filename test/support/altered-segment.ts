import {
  FOOTER_TAG_BYTES,
  footerBytesOf,
  joinFooter,
  TRAILER_BYTES,
} from '../../src/format/segment-footer.ts'

/** A segment as bytes, taken apart at its footer. */
export interface SegmentPieces {
  /** Header and frames. */
  readonly front: Buffer
  readonly covered: Buffer
  readonly tag: Buffer
}

/** Cuts a segment where its footer begins and the parts of that end. The pieces are copies. */
export function takeApart(bytes: Buffer): SegmentPieces {
  const footerAt = bytes.length - footerBytesOf(bytes.subarray(-TRAILER_BYTES))
  const tagAt = bytes.length - TRAILER_BYTES - FOOTER_TAG_BYTES
  return {
    front: Buffer.from(bytes.subarray(0, footerAt)),
    covered: Buffer.from(bytes.subarray(footerAt, tagAt)),
    tag: Buffer.from(bytes.subarray(tagAt, -TRAILER_BYTES)),
  }
}

/** Puts the pieces together under a checksum that fits, as somebody without the key would. */
export function putTogether({ front, covered, tag }: SegmentPieces): Buffer {
  return Buffer.concat([front, joinFooter(covered, tag)])
}

/** A copy with one bit flipped. */
export function withFlippedBit(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return flipped
}
