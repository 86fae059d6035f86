import {
  afterDispose,
  checkedFrameKey,
  type FrameCipher,
  FrameNonce,
  framePartsOf,
  frontOf,
  notAuthentic,
} from './frame-cipher.ts'
import { GcmContext } from './gcm-context.ts'
import type { OpensslLibrary } from './openssl-library.ts'
import type { SecretBytes } from './secret-bytes.ts'
import type { SegmentKeys } from './segment-keys.ts'

/**
 * The cipher over Node's own OpenSSL, called directly. Each direction has a context of its own,
 * keyed at its first frame: a worker only seals, a reader only opens.
 */
export class OpensslFrameCipher implements FrameCipher {
  readonly #openssl: OpensslLibrary
  readonly #nonce: FrameNonce
  #key: SecretBytes | null
  #sealing: GcmContext | null = null
  #opening: GcmContext | null = null

  /** Throws SEAL_MALFORMED for keys of a wrong length. */
  constructor(openssl: OpensslLibrary, { frameKey, baseNonce }: SegmentKeys) {
    this.#openssl = openssl
    this.#nonce = new FrameNonce(baseNonce)
    this.#key = checkedFrameKey(frameKey)
  }

  seal(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): void {
    const { body, tag } = framePartsOf(part, frameAt, frameBytes)
    this.#sealing ??= new GcmContext(this.#openssl, this.#held(), 'seal')
    this.#sealing.seal(this.#nonce.of(seq), aad, body, tag)
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
    this.#opening ??= new GcmContext(this.#openssl, this.#held(), 'open')
    // Perhaps a slice of Node's pool: between writing and wiping no other code of this thread runs.
    const parcel = into ? frontOf(into, body.length) : Buffer.allocUnsafe(body.length)
    if (!this.#opening.open(this.#nonce.of(seq), aad, body, tag, parcel)) throw notAuthentic()
    return parcel
  }

  [Symbol.dispose](): void {
    this.#key = null
    this.#sealing?.[Symbol.dispose]()
    this.#opening?.[Symbol.dispose]()
    this.#sealing = null
    this.#opening = null
  }

  #held(): SecretBytes {
    if (this.#key === null) throw afterDispose()
    return this.#key
  }
}
