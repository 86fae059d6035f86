import { isUint8Array } from 'node:util/types'
import { SealError } from '../errors.ts'
import { TAG_BYTES } from '../format/frame.ts'
import { afterDispose, FRAME_KEY_BYTES, NONCE_BYTES } from './frame-cipher.ts'
import type { OpensslLibrary, Pointer } from './openssl-library.ts'
import type { SecretBytes } from './secret-bytes.ts'

/** From openssl/evp.h; they have not changed since GCM came in. */
const GET_TAG = 0x10
const SET_TAG = 0x11
const DIRECTIONS = { seal: 1, open: 0 } as const
const INT_MAX = 0x7fff_ffff

/** Reads the true length: `length` on the object itself may have been put there by anybody. */
const trueByteLength = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'byteLength',
)?.get as (this: Uint8Array) => number

/**
 * One keyed EVP_CIPHER_CTX for AES-256-GCM in one direction; a message sets only the nonce anew.
 *
 * What native code is given must be true, or the process dies instead of throwing. So each method
 * has two halves: first everything is checked, by the engine's own notion of type and length; then
 * come the native calls, and between the two no code of anybody else can run that could free the
 * context or shrink a buffer. Native code keeps no address beyond a call.
 */
export class GcmContext implements Disposable {
  readonly #openssl: OpensslLibrary
  readonly #direction: keyof typeof DIRECTIONS
  /** Both are written by native code: memory of their own, never on the JavaScript heap. */
  readonly #written = new Int32Array(new ArrayBuffer(4))
  readonly #rest = new Uint8Array(new ArrayBuffer(16))
  #context: Pointer = null

  /** `key` stays the caller's. OpenSSL copies it into the context and cleanses that when it is freed. */
  constructor(openssl: OpensslLibrary, key: SecretBytes, direction: keyof typeof DIRECTIONS) {
    this.#openssl = openssl
    this.#direction = direction
    try {
      key.reveal((raw) => this.#setKey(raw))
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Encrypts `body` in place and writes the tag. Both stay the caller's. */
  seal(nonce: Uint8Array, aad: Uint8Array, body: Uint8Array, tag: Uint8Array): void {
    checkBytes(nonce, NONCE_BYTES)
    checkBytes(tag, TAG_BYTES)
    const aadBytes = checkBytes(aad)
    const bodyBytes = checkBytes(body)
    const context = this.#held('seal')

    this.#start(context, nonce)
    this.#pass(context, null, aad, aadBytes)
    this.#pass(context, body, body, bodyBytes)
    if (!this.#finish(context)) throw this.#refused('EVP_CipherFinal_ex')
    const done = this.#openssl.control(context, GET_TAG, TAG_BYTES, tag)
    if (done !== 1) throw this.#refused('EVP_CIPHER_CTX_ctrl')
  }

  /**
   * Decrypts `body` into `parcel`, of the same length, and says whether the tag is right. When it is
   * not, or anything fails, `parcel` is zeroed: nothing that was not authenticated stays in it.
   */
  open(
    nonce: Uint8Array,
    aad: Uint8Array,
    body: Uint8Array,
    tag: Uint8Array,
    parcel: Uint8Array,
  ): boolean {
    checkBytes(nonce, NONCE_BYTES)
    checkBytes(tag, TAG_BYTES)
    const aadBytes = checkBytes(aad)
    const bodyBytes = checkBytes(body)
    checkBytes(parcel, bodyBytes)
    const context = this.#held('open')

    let isAuthentic = false
    try {
      this.#start(context, nonce)
      this.#pass(context, null, aad, aadBytes)
      this.#pass(context, parcel, body, bodyBytes)
      const done = this.#openssl.control(context, SET_TAG, TAG_BYTES, tag)
      if (done !== 1) throw this.#refused('EVP_CIPHER_CTX_ctrl')
      isAuthentic = this.#finish(context)
    } finally {
      if (!isAuthentic) {
        parcel.fill(0)
        // What stays in the queue would be taken for an error of the next TLS call of this thread.
        this.#openssl.clearErrors()
      }
    }
    return isAuthentic
  }

  /** Frees the context; OpenSSL cleanses the key schedule in it. May be called again. */
  [Symbol.dispose](): void {
    const context = this.#context
    this.#context = null
    if (context !== null) this.#openssl.contextFree(context)
  }

  #setKey(raw: Uint8Array): void {
    checkBytes(raw, FRAME_KEY_BYTES)
    const openssl = this.#openssl
    this.#context = openssl.contextNew()
    const cipher = openssl.aes256Gcm()
    if (this.#context === null || cipher === null) throw this.#refused('EVP_CIPHER_CTX_new')
    const direction = DIRECTIONS[this.#direction]
    const done = openssl.init(this.#context, cipher, raw, null, direction, null)
    if (done !== 1) throw this.#refused('EVP_CipherInit_ex2')
  }

  #held(direction: keyof typeof DIRECTIONS): bigint {
    if (this.#context === null) throw afterDispose()
    if (this.#direction !== direction) throw new Error(`this context cannot ${direction}`)
    return this.#context
  }

  #start(context: bigint, nonce: Uint8Array): void {
    const done = this.#openssl.init(context, null, null, nonce, -1, null)
    if (done !== 1) throw this.#refused('EVP_CipherInit_ex2')
  }

  /** An empty input is left out: for OpenSSL a null input has another meaning. */
  #pass(context: bigint, out: Uint8Array | null, input: Uint8Array, inputBytes: number): void {
    if (inputBytes === 0) return
    const done = this.#openssl.update(context, out, this.#written, input, inputBytes)
    if (done !== 1 || this.#written[0] !== inputBytes) throw this.#refused('EVP_CipherUpdate')
  }

  #finish(context: bigint): boolean {
    const done = this.#openssl.final(context, this.#rest, this.#written)
    return done === 1 && this.#written[0] === 0
  }

  #refused(call: string): SealError {
    this.#openssl.clearErrors()
    return new SealError(
      'SEAL_CIPHER_UNAVAILABLE',
      `OpenSSL refused ${call}; set cipher.engine to node to do without calling it directly`,
    )
  }
}

/** The true length of `bytes`. Throws SEAL_MALFORMED for anything but bytes of a fitting length. */
function checkBytes(bytes: Uint8Array, length?: number): number {
  const actual = isUint8Array(bytes) ? trueByteLength.call(bytes) : -1
  if (actual < 0 || actual > INT_MAX || (length !== undefined && actual !== length)) {
    throw new SealError('SEAL_MALFORMED', 'the cipher was given no bytes, or of a wrong length')
  }
  return actual
}
