import { SealError } from '../errors.ts'
import { FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, TAG_BYTES } from '../format/frame.ts'
import type { SecretBytes } from './secret-bytes.ts'

/** AES-GCM with 96-bit nonces is the one form that NIST SP 800-38D needs no extra hashing for. */
export const NONCE_BYTES = 12
/** AES-256. */
export const FRAME_KEY_BYTES = 32
/** Lengths are a C int below the cipher. */
const BYTES_MAX = 0x7fff_ffff
const SEQ_MAX = 0xffff_ffff

/**
 * Seals and opens the frames of one segment. Uses the segment's frame key, which stays its owner's
 * and is not wiped before the cipher is disposed; after that every call throws. Frames are given by
 * the buffer they lie in and where they start; their header is in place already, the parcel or
 * ciphertext follows it, the last 16 bytes are the tag. A frame that does not lie within its buffer
 * is refused with SEAL_MALFORMED.
 */
export interface FrameCipher extends Disposable {
  /** Replaces the parcel by its ciphertext and writes the tag; no other byte of `part` changes. */
  seal(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): void
  /**
   * Opens a frame and returns the parcel; the frame itself is left as it is. The result is the
   * caller's: memory of its own, or the front of `into`, which must be as long. Throws
   * SEAL_OPEN_FAILED, without a hint of what was wrong, and releases no byte then.
   */
  open(
    part: Buffer,
    frameAt: number,
    frameBytes: number,
    seq: number,
    aad: Uint8Array,
    into?: Buffer,
  ): Buffer
}

/** Where the two halves of a frame lie that a cipher touches. */
export interface FrameParts {
  /** Parcel or ciphertext. */
  readonly body: Uint8Array
  readonly tag: Uint8Array
}

/**
 * Views of body and tag of a frame. Throws SEAL_MALFORMED when it does not lie within `part`:
 * `subarray` would clamp silently, and what is below it would not check at all.
 */
export function framePartsOf(part: Buffer, frameAt: number, frameBytes: number): FrameParts {
  const fits =
    Number.isSafeInteger(frameAt) &&
    Number.isSafeInteger(frameBytes) &&
    frameAt >= 0 &&
    frameBytes >= FRAME_OVERHEAD_BYTES &&
    frameBytes <= BYTES_MAX &&
    frameAt + frameBytes <= part.byteLength
  if (!fits) throw new SealError('SEAL_MALFORMED', 'frame: does not lie within its buffer')
  const from = part.byteOffset + frameAt
  const bodyBytes = frameBytes - FRAME_OVERHEAD_BYTES
  return {
    body: new Uint8Array(part.buffer, from + FRAME_HEADER_BYTES, bodyBytes),
    tag: new Uint8Array(part.buffer, from + FRAME_HEADER_BYTES + bodyBytes, TAG_BYTES),
  }
}

/** Hands `key` back. Throws SEAL_MALFORMED unless it is a key of AES-256. */
export function checkedFrameKey(key: SecretBytes): SecretBytes {
  if (key.length === FRAME_KEY_BYTES) return key
  throw new SealError('SEAL_MALFORMED', 'frame key of a wrong length')
}

/** The nonces of one segment: base nonce XOR sequence number. */
export class FrameNonce {
  /** In memory of its own, which never moves, since native code reads it. */
  readonly #bytes = Buffer.allocUnsafeSlow(NONCE_BYTES)
  readonly #tail: number

  /** Throws SEAL_MALFORMED for a base of a wrong length. */
  constructor(base: Uint8Array) {
    if (base.length !== NONCE_BYTES) {
      throw new SealError('SEAL_MALFORMED', 'base nonce of a wrong length')
    }
    this.#bytes.set(base)
    this.#tail = this.#bytes.readUInt32BE(NONCE_BYTES - 4)
  }

  /**
   * The nonce of frame `seq`, in a buffer that the next call overwrites. Throws SEAL_MALFORMED for
   * what is no u32: cut to 32 bits it would repeat the nonce of another frame.
   */
  of(seq: number): Buffer {
    if (!Number.isInteger(seq) || seq < 0 || seq > SEQ_MAX) {
      throw new SealError('SEAL_MALFORMED', `frame: its number ${seq} is not a u32`)
    }
    this.#bytes.writeUInt32BE((this.#tail ^ seq) >>> 0, NONCE_BYTES - 4)
    return this.#bytes
  }
}

/** The first `bytes` of `into`. Throws SEAL_MALFORMED when it is shorter. */
export function frontOf(into: Buffer, bytes: number): Buffer {
  if (into.length >= bytes) return into.subarray(0, bytes)
  throw new SealError('SEAL_MALFORMED', 'the place for an opened frame is too short')
}

/** The one error of a frame that does not open, whatever the reason. */
export function notAuthentic(): SealError {
  return new SealError(
    'SEAL_OPEN_FAILED',
    'a frame does not authenticate: altered bytes, or not the frame of this reference',
  )
}

/** What the use of a disposed cipher ends in: a mistake of the caller, hence no SealError. */
export function afterDispose(): Error {
  return new Error('a frame cipher is used after its disposal')
}
