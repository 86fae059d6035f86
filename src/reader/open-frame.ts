import type { CipherEngine } from '../crypto/cipher-engine.ts'
import type { FrameCipher } from '../crypto/frame-cipher.ts'
import type { WholeSegmentKeys } from '../crypto/segment-keys.ts'
import { SealError } from '../errors.ts'
import { FrameAad } from '../format/aad.ts'
import { readFrameHeader } from '../format/frame.ts'
import type { Message } from '../format/message.ts'
import { readParcel } from '../format/parcel.ts'
import type { Reference } from '../format/reference-value.ts'
import { type DecodedMetadata, decodeMetadata } from '../format/segment-metadata.ts'
import type { DekCache } from '../keys/dek-cache.ts'

/**
 * Opens frames of one segment, in the order that format.md asks for: structure, allow-list, unwrap,
 * context, commitment, and only then the frame; what comes out is compared with the reference.
 * Holds the segment's keys: dispose it when the segment is done with.
 */
export class SegmentOpener implements Disposable {
  readonly #metadata: DecodedMetadata
  readonly #keys: WholeSegmentKeys
  readonly #cipher: FrameCipher
  readonly #aads = new Map<string, FrameAad>()

  private constructor(
    metadata: DecodedMetadata,
    keys: WholeSegmentKeys,
    engine: Pick<CipherEngine, 'create'>,
  ) {
    this.#metadata = metadata
    this.#keys = keys
    this.#cipher = engine.create(keys)
  }

  /** Throws SEAL_MALFORMED, SEAL_SUITE_UNKNOWN, SEAL_KEK_NOT_ALLOWED, SEAL_KMS_*, SEAL_COMMITMENT_MISMATCH. */
  static async create(
    pairs: Readonly<Record<string, string>>,
    keys: DekCache,
    engine: CipherEngine,
  ): Promise<SegmentOpener> {
    const metadata = decodeMetadata(pairs)
    const dek = await keys.dekOf(metadata)
    try {
      return new SegmentOpener(metadata, dek.openSegment(metadata.header), engine)
    } finally {
      dek.release()
    }
  }

  /**
   * Opens the frame of `reference`, which starts at `at` in `bytes`. The message is the caller's.
   * Throws SEAL_OPEN_FAILED, SEAL_MALFORMED and SEAL_CONTEXT_MISMATCH; no plaintext leaves then.
   */
  open(bytes: Buffer, at: number, reference: Reference): Message {
    const { object, topic, partition, offset, length } = reference
    if (!object.endsWith(`/${this.#metadata.header.segmentId}.seal`)) throw mismatch(reference)
    const header = readFrameHeader(bytes, at)
    if (header.frameBytes !== length || header.offset !== offset) throw mismatch(reference)
    const aad = this.#aadOf(topic, partition).of(bytes, at)
    const parcel = this.#cipher.open(bytes, at, length, header.seq, aad)
    return { topic, partition, offset, ...readParcel(parcel) }
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]()
    this.#keys[Symbol.dispose]()
  }

  #aadOf(topic: string, partition: number): FrameAad {
    const place = `${topic}/${partition}`
    let aad = this.#aads.get(place)
    if (aad === undefined) {
      const { segmentId } = this.#metadata.header
      const { clusterId } = this.#metadata
      aad = new FrameAad({ segmentId, clusterId, topic, partition })
      this.#aads.set(place, aad)
    }
    return aad
  }
}

function mismatch({ topic, partition, offset, object }: Reference): SealError {
  return new SealError(
    'SEAL_CONTEXT_MISMATCH',
    `${object} holds another frame than that of ${topic}/${partition} offset ${offset}`,
  )
}
