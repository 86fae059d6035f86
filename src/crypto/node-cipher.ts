import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { TAG_BYTES } from '../format/frame.ts'
import {
  afterDispose,
  checkedFrameKey,
  type FrameCipher,
  FrameNonce,
  framePartsOf,
  frontOf,
  notAuthentic,
} from './frame-cipher.ts'
import type { SegmentKeys } from './segment-keys.ts'

const ALGORITHM = 'aes-256-gcm'
/** Node would accept tags down to 4 bytes when the length is not said. */
const OPTIONS = { authTagLength: TAG_BYTES } as const

/**
 * The cipher over node:crypto. The key is copied into a KeyObject, since raw bytes cost four times as
 * much a frame; that copy cannot be wiped, OpenSSL cleanses it when the garbage collector frees it.
 */
export class NodeFrameCipher implements FrameCipher {
  readonly #nonce: FrameNonce
  #key: KeyObject | null

  /** Throws SEAL_MALFORMED for keys of a wrong length. */
  constructor({ frameKey, baseNonce }: SegmentKeys) {
    this.#nonce = new FrameNonce(baseNonce)
    this.#key = checkedFrameKey(frameKey).reveal((bytes) => createSecretKey(bytes))
  }

  seal(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): void {
    const { body, tag } = framePartsOf(part, frameAt, frameBytes)
    const cipher = createCipheriv(ALGORITHM, this.#held(), this.#nonce.of(seq), OPTIONS)
    cipher.setAAD(aad)
    body.set(cipher.update(body))
    cipher.final()
    tag.set(cipher.getAuthTag())
  }

  open(
    part: Buffer,
    frameAt: number,
    frameBytes: number,
    seq: number,
    aad: Uint8Array,
    into?: Buffer,
  ): Buffer {
    const { body, tag } = framePartsOf(part, frameAt, frameBytes)
    const place = into && frontOf(into, body.length)
    const decipher = createDecipheriv(ALGORITHM, this.#held(), this.#nonce.of(seq), OPTIONS)
    decipher.setAAD(aad)
    decipher.setAuthTag(tag)
    const parcel = decipher.update(body)
    try {
      decipher.final()
    } catch {
      parcel.fill(0)
      throw notAuthentic()
    }
    if (place === undefined) return parcel
    place.set(parcel)
    parcel.fill(0)
    return place
  }

  [Symbol.dispose](): void {
    this.#key = null
  }

  #held(): KeyObject {
    if (this.#key === null) throw afterDispose()
    return this.#key
  }
}
