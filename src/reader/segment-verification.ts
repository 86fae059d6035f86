import type { CipherEngine } from '../crypto/cipher-engine.ts'
import { checkFooterTag } from '../crypto/footer-tag.ts'
import type { FrameCipher } from '../crypto/frame-cipher.ts'
import type { WholeSegmentKeys } from '../crypto/segment-keys.ts'
import { SealError } from '../errors.ts'
import { FrameAad } from '../format/aad.ts'
import { readFrameHeader } from '../format/frame.ts'
import { isShredded, readParcel } from '../format/parcel.ts'
import type { FooterSource, IndexedFrame } from '../format/segment-footer.ts'
import type { DekCache } from '../keys/dek-cache.ts'
import type { ObjectReader } from './object-reader.ts'
import { naming, readInspected, type SegmentInspection } from './segment-inspection.ts'

/** Bytes in memory at a time; a longer frame is read alone. */
const RANGE_BYTES_MAX = 8 * 1024 * 1024

/** What a verification works with, and whom it tells how far it is. */
export interface VerificationServices {
  readonly objects: ObjectReader
  readonly keys: DekCache
  readonly engine: Pick<CipherEngine, 'create'>
  /** Told after every range, with the number of frames in it. */
  readonly onFrames: (count: number) => void
  /** Told of every frame whose message was destroyed; it is in order all the same. */
  readonly onShredded?: (frame: IndexedFrame) => void
}

/**
 * Opens every frame of an inspected segment and holds it against the index: the data key is
 * unwrapped, the commitment and the HMAC of the footer are checked, and then every frame is what,
 * where and as long as the index says, so that none is missing and nothing lies between two.
 * Returns the number of frames. Plaintext is wiped at once.
 * Throws SEAL_KEK_NOT_ALLOWED, SEAL_KMS_*, SEAL_COMMITMENT_MISMATCH, SEAL_STORE_*, and for the
 * first frame that is damaged SEAL_OPEN_FAILED or SEAL_MALFORMED with its coordinates.
 */
export async function verifySegment(
  inspection: SegmentInspection,
  services: VerificationServices,
): Promise<number> {
  const { objects, onFrames } = services
  const { frames } = inspection.footer
  using keys = await genuineKeys(inspection, services)
  using cipher = services.engine.create(keys)
  const checker = new FrameChecker(inspection, cipher, services.onShredded)
  for (const run of rangesOf(frames)) {
    const { position } = run[0] as IndexedFrame
    const length = run.reduce((sum, frame) => sum + frame.length, 0)
    checker.checkAll(run, await readInspected(objects, inspection, position, length))
    onFrames(run.length)
  }
  return frames.length
}

/** The keys of the segment, once commitment and footer have shown that they are the right ones. */
async function genuineKeys(
  { object, metadata, header, footer }: SegmentInspection,
  { keys }: VerificationServices,
): Promise<WholeSegmentKeys> {
  const dek = await keys.dekOf(metadata)
  try {
    const segmentKeys = dek.openSegment(metadata.header)
    try {
      naming(object, () => checkFooterTag(segmentKeys.footerKey, header, footer))
      return segmentKeys
    } catch (error) {
      segmentKeys[Symbol.dispose]()
      throw error
    }
  } finally {
    dek.release()
  }
}

class FrameChecker {
  readonly #inspection: SegmentInspection
  readonly #cipher: FrameCipher
  readonly #aads: readonly FrameAad[]
  readonly #onShredded: VerificationServices['onShredded']

  constructor(
    inspection: SegmentInspection,
    cipher: FrameCipher,
    onShredded: VerificationServices['onShredded'],
  ) {
    this.#onShredded = onShredded
    const { metadata, footer } = inspection
    const { segmentId } = metadata.header
    this.#inspection = inspection
    this.#cipher = cipher
    this.#aads = footer.sources.map((source) => new FrameAad({ segmentId, ...source }))
  }

  /** `bytes` starts with the first of the frames. */
  checkAll(frames: readonly IndexedFrame[], bytes: Buffer): void {
    const { object, footer } = this.#inspection
    let at = 0
    for (const frame of frames) {
      const { topic, partition } = footer.sources[frame.source] as FooterSource
      const place = `${topic}/${partition} offset ${frame.offset} at position ${frame.position}`
      naming(`${object}: frame of ${place}`, () => this.#check(frame, bytes, at))
      at += frame.length
    }
  }

  #check(frame: IndexedFrame, bytes: Buffer, at: number): void {
    const header = readFrameHeader(bytes, at)
    const isAsIndexed =
      header.frameBytes === frame.length &&
      header.seq === frame.seq &&
      header.source === frame.source &&
      header.offset === frame.offset
    if (!isAsIndexed) {
      throw new SealError('SEAL_MALFORMED', 'what stands there is not the frame of the index')
    }
    const aad = (this.#aads[frame.source] as FrameAad).of(bytes, at)
    const parcel = this.#cipher.open(bytes, at, frame.length, frame.seq, aad)
    try {
      if (isShredded(parcel)) this.#onShredded?.(frame)
      else readParcel(parcel)
    } finally {
      parcel.fill(0)
    }
  }
}

/** Frames in their order, in runs that are read by one request each. */
function* rangesOf(frames: readonly IndexedFrame[]): Generator<readonly IndexedFrame[]> {
  let from = 0
  let bytes = 0
  for (const [i, { length }] of frames.entries()) {
    if (i > from && bytes + length > RANGE_BYTES_MAX) {
      yield frames.slice(from, i)
      from = i
      bytes = 0
    }
    bytes += length
  }
  yield frames.slice(from)
}
