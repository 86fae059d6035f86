import { createCipheriv, createDecipheriv } from 'node:crypto'
import { SealError } from '../errors.ts'
import { FRAME_HEADER_BYTES, TAG_BYTES } from '../format/frame.ts'
import { type FrameCipher, NONCE_BYTES } from './frame-cipher.ts'
import type { SegmentKeys } from './segment-keys.ts'

const ALGORITHM = 'aes-256-gcm'
/** Node would accept tags down to 4 bytes when the length is not said. */
const OPTIONS = { authTagLength: TAG_BYTES } as const

/** The engine over node:crypto. The key is a KeyObject: raw bytes cost four times as much. */
export class NodeFrameCipher implements FrameCipher {
  readonly #keys: SegmentKeys
  readonly #nonce = Buffer.alloc(NONCE_BYTES)
  readonly #nonceTail: number

  constructor(keys: SegmentKeys) {
    if (keys.baseNonce.length !== NONCE_BYTES || keys.frameKey.symmetricKeySize !== 32) {
      throw new SealError('SEAL_MALFORMED', 'segment keys of a wrong length')
    }
    this.#keys = keys
    this.#nonce.set(keys.baseNonce)
    this.#nonceTail = this.#nonce.readUInt32BE(NONCE_BYTES - 4)
  }

  seal(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): void {
    const bodyAt = frameAt + FRAME_HEADER_BYTES
    const tagAt = frameAt + frameBytes - TAG_BYTES
    const cipher = createCipheriv(ALGORITHM, this.#keys.frameKey, this.#nonceOf(seq), OPTIONS)
    cipher.setAAD(aad)
    part.set(cipher.update(part.subarray(bodyAt, tagAt)), bodyAt)
    cipher.final()
    part.set(cipher.getAuthTag(), tagAt)
  }

  open(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): Buffer {
    const bodyAt = frameAt + FRAME_HEADER_BYTES
    const tagAt = frameAt + frameBytes - TAG_BYTES
    const decipher = createDecipheriv(ALGORITHM, this.#keys.frameKey, this.#nonceOf(seq), OPTIONS)
    decipher.setAAD(aad)
    decipher.setAuthTag(part.subarray(tagAt, tagAt + TAG_BYTES))
    const parcel = decipher.update(part.subarray(bodyAt, tagAt))
    try {
      decipher.final()
    } catch {
      parcel.fill(0)
      throw new SealError(
        'SEAL_OPEN_FAILED',
        'a frame does not authenticate: altered bytes, or not the frame of this reference',
      )
    }
    return parcel
  }

  /** base nonce XOR sequence number; the buffer is reused, each call overwrites the last. */
  #nonceOf(seq: number): Buffer {
    this.#nonce.writeUInt32BE((this.#nonceTail ^ seq) >>> 0, NONCE_BYTES - 4)
    return this.#nonce
  }
}
