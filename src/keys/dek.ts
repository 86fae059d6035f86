import { randomBytes, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'
import { SecretBytes } from '../crypto/secret-bytes.ts'
import {
  keysForNewSegment,
  keysForSegment,
  type NewSegmentKeys,
  type WholeSegmentKeys,
} from '../crypto/segment-keys.ts'
import { SealError } from '../errors.ts'
import { SALT_BYTES, type SegmentHeader } from '../format/segment-header.ts'
import { DEK_BYTES } from '../limits.ts'
import type { DekRecord } from './key-store.ts'
import { hashKmsContext, kmsContextOf } from './kms-context.ts'

/**
 * A data key in use. Its bytes can be neither read nor printed: all it does is derive the keys of
 * segments. It lives until its last holder lets go: whoever keeps one calls {@link retain} and,
 * when done, {@link release}; the maker holds the first share.
 */
export class Dek {
  readonly record: DekRecord
  readonly #contextHash: Uint8Array
  readonly #key: SecretBytes
  #holders = 1
  #onWiped: (() => void) | null = null

  /** Takes over `plaintext`: it is copied and zeroed. */
  constructor(record: DekRecord, plaintext: Uint8Array) {
    if (plaintext.length !== DEK_BYTES) {
      plaintext.fill(0)
      throw new SealError(
        'SEAL_KMS_REFUSED',
        `the KMS gave a data key of ${plaintext.length} bytes`,
      )
    }
    this.record = record
    this.#key = SecretBytes.takeFrom(plaintext)
    this.#contextHash = hashKmsContext(kmsContextOf(record.dekId, record.keyDomain))
  }

  /**
   * Keys and header of a segment to be written, with a salt of its own. The caller disposes them.
   * `generation` is one more than that of the writing that it replaces.
   */
  newSegment(segmentId: string, createdAtMs: number, generation = 1): NewSegmentKeys {
    return keysForNewSegment(this.#held(), {
      segmentId,
      generation,
      dekId: this.record.dekId,
      salt: randomBytes(SALT_BYTES),
      createdAtMs,
      kmsContextHash: this.#contextHash,
    })
  }

  /**
   * Keys of a segment to be read; the caller disposes them. Throws SEAL_COMMITMENT_MISMATCH when it is
   * not under this DEK.
   */
  openSegment(header: SegmentHeader): WholeSegmentKeys {
    if (!timingSafeEqual(this.#contextHash, header.kmsContextHash)) {
      throw new SealError(
        'SEAL_COMMITMENT_MISMATCH',
        `segment ${header.segmentId}: its header names another key context than its metadata`,
      )
    }
    return keysForSegment(this.#held(), header)
  }

  /** One more holder. Returns the DEK itself. */
  retain(): this {
    this.#held()
    this.#holders++
    return this
  }

  /** One holder less; the key is wiped with the last, at once. */
  release(): void {
    if (this.#holders === 0 || --this.#holders > 0) return
    this.#key[Symbol.dispose]()
    this.#onWiped?.()
  }

  /** Calls `listener` when the last holder has let go. One listener; it must not throw. */
  onWiped(listener: () => void): void {
    this.#onWiped = listener
  }

  /** What a log or a debugger may see. */
  [inspect.custom](): string {
    return `Dek(${this.record.dekId}${this.#key.isWiped ? ', destroyed' : ''})`
  }

  #held(): SecretBytes {
    if (this.#key.isWiped) throw new Error(`DEK ${this.record.dekId} is used after its release`)
    return this.#key
  }
}
