import { timingSafeEqual } from 'node:crypto'
import { SealError } from '../errors.ts'
import {
  COMMITMENT_BYTES,
  encodeHeaderPrefix,
  joinHeader,
  SALT_BYTES,
  type SegmentHeader,
  type SegmentHeaderFields,
} from '../format/segment-header.ts'
import { FRAME_KEY_BYTES, NONCE_BYTES } from './frame-cipher.ts'
import { hkdfSha512 } from './hkdf.ts'
import { SecretBytes } from './secret-bytes.ts'

const INFO = Buffer.from('sealstream/v1/segment\0', 'latin1')
const FOOTER_KEY_BYTES = 32
const OKM_BYTES = FRAME_KEY_BYTES + NONCE_BYTES + FOOTER_KEY_BYTES + COMMITMENT_BYTES

/** What one segment is sealed and opened with. Lives as long as the segment is worked on. */
export interface SegmentKeys {
  readonly frameKey: SecretBytes
  /** XORed with a frame's sequence number it gives the nonce; useless without the key. */
  readonly baseNonce: Uint8Array
}

/**
 * The keys that authenticate a segment as a whole besides its frames. Whoever derived them disposes
 * them when the last frame is sealed or opened, which wipes both keys.
 */
export interface WholeSegmentKeys extends SegmentKeys, Disposable {
  readonly footerKey: SecretBytes
}

/** Keys of a new segment and the header that commits to them. */
export interface NewSegmentKeys extends WholeSegmentKeys {
  readonly header: Uint8Array
}

/** Derives the keys of a segment that is being written. `dek` stays the caller's. */
export function keysForNewSegment(dek: SecretBytes, fields: SegmentHeaderFields): NewSegmentKeys {
  const prefix = encodeHeaderPrefix(fields)
  const derived = derive(dek, prefix, fields.salt)
  return { ...derived.keys, header: joinHeader(prefix, derived.commitment) }
}

/**
 * Derives the keys of a segment that is being read, and compares the commitment before anything
 * is opened. Throws SEAL_COMMITMENT_MISMATCH when the DEK is not the one that wrote the segment.
 */
export function keysForSegment(dek: SecretBytes, header: SegmentHeader): WholeSegmentKeys {
  const derived = derive(dek, header.prefix, header.salt)
  if (!timingSafeEqual(derived.commitment, header.commitment)) {
    derived.keys[Symbol.dispose]()
    throw new SealError(
      'SEAL_COMMITMENT_MISMATCH',
      `segment ${header.segmentId}: its data key is not the one it was sealed with, or its header was altered`,
    )
  }
  return derived.keys
}

/**
 * HKDF-SHA512 (RFC 5869) over the DEK with the segment's own salt; `info` is a label and the header
 * up to its commitment, so that every bit of it is bound to the keys. One expansion gives frame key,
 * base nonce, footer key and commitment, in this order.
 */
function derive(
  dek: SecretBytes,
  headerPrefix: Uint8Array,
  salt: Uint8Array,
): { keys: WholeSegmentKeys; commitment: Uint8Array } {
  if (salt.length !== SALT_BYTES) throw new SealError('SEAL_MALFORMED', 'salt of a wrong length')
  const info = Buffer.concat([INFO, headerPrefix])
  const okm = dek.reveal((ikm) => hkdfSha512(ikm, salt, info, OKM_BYTES))
  try {
    const nonceAt = FRAME_KEY_BYTES
    const footerKeyAt = nonceAt + NONCE_BYTES
    const commitmentAt = footerKeyAt + FOOTER_KEY_BYTES
    const frameKey = SecretBytes.takeFrom(okm.subarray(0, FRAME_KEY_BYTES))
    const footerKey = SecretBytes.takeFrom(okm.subarray(footerKeyAt, commitmentAt))
    const wipe = () => {
      frameKey[Symbol.dispose]()
      footerKey[Symbol.dispose]()
    }
    return {
      keys: {
        ...{ frameKey, footerKey, [Symbol.dispose]: wipe },
        baseNonce: okm.slice(nonceAt, footerKeyAt),
      },
      commitment: okm.slice(commitmentAt),
    }
  } finally {
    okm.fill(0)
  }
}
