import { randomBytes, randomInt } from 'node:crypto'
import { isSealError } from '../errors.ts'
import { FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES } from '../format/frame.ts'
import { FRAME_KEY_BYTES, type FrameCipher, NONCE_BYTES } from './frame-cipher.ts'
import { SecretBytes } from './secret-bytes.ts'
import type { SegmentKeys } from './segment-keys.ts'

/** Makes a cipher for the keys of a segment. */
type MakeCipher = (keys: SegmentKeys) => FrameCipher

const FRAMES = 64
const PARCEL_BYTES_MAX = 5000
const AAD_BYTES_MAX = 200

/**
 * Test case 16 of D. McGrew, J. Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B,
 * as submitted to NIST: AES-256, 96-bit nonce, 20 bytes of associated data, 60 bytes of plaintext.
 */
const KNOWN = {
  key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
  nonce: 'cafebabefacedbaddecaf888',
  aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
  plaintext:
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  ciphertext:
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
    '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
  tag: '76fc6ece0f4e1768cddf8853bb2d551b',
} as const

/**
 * What is wrong with the ciphers of `make`, or null. They must give the known answer, and agree with
 * `trusted` in both directions over random frames. Takes about a millisecond; never throws.
 */
export function faultOf(make: MakeCipher, trusted: MakeCipher): string | null {
  try {
    return knownAnswerFault(make) ?? crossCheckFault(make, trusted)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function knownAnswerFault(make: MakeCipher): string | null {
  const keys = {
    frameKey: SecretBytes.takeFrom(Buffer.from(KNOWN.key, 'hex')),
    baseNonce: Buffer.from(KNOWN.nonce, 'hex'),
  }
  using cipher = make(keys)
  const header = Buffer.alloc(FRAME_HEADER_BYTES).toString('hex')
  const frame = Buffer.from(`${header}${KNOWN.plaintext}${KNOWN.tag.replace(/./g, '0')}`, 'hex')
  const aad = Buffer.from(KNOWN.aad, 'hex')
  cipher.seal(frame, 0, frame.length, 0, aad)
  if (frame.toString('hex') !== `${header}${KNOWN.ciphertext}${KNOWN.tag}`) {
    return 'it does not seal to the known answer'
  }
  const parcel = cipher.open(frame, 0, frame.length, 0, aad)
  return parcel.toString('hex') === KNOWN.plaintext ? null : 'it does not open the known answer'
}

function crossCheckFault(make: MakeCipher, trusted: MakeCipher): string | null {
  const keys = {
    frameKey: SecretBytes.takeFrom(randomBytes(FRAME_KEY_BYTES)),
    baseNonce: randomBytes(NONCE_BYTES),
  }
  using ours = make(keys)
  using theirs = trusted(keys)
  for (let i = 0; i < FRAMES; i++) {
    const seq = randomInt(2 ** 32)
    const aad = randomBytes(randomInt(AAD_BYTES_MAX + 1))
    const frame = randomBytes(FRAME_OVERHEAD_BYTES + randomInt(PARCEL_BYTES_MAX + 1))
    const parcel = Buffer.from(frame.subarray(FRAME_HEADER_BYTES, frame.length - 16))
    const [sealer, opener] = i % 2 === 0 ? [ours, theirs] : [theirs, ours]
    sealer.seal(frame, 0, frame.length, seq, aad)
    if (!opener.open(frame, 0, frame.length, seq, aad).equals(parcel)) {
      return 'it disagrees with node:crypto'
    }
    const at = frame.length - 1 - randomInt(16)
    frame[at] = (frame[at] as number) ^ (1 << randomInt(8))
    if (!refuses(ours, frame, seq, aad)) return 'it opens a frame with a wrong tag'
  }
  return null
}

function refuses(cipher: FrameCipher, frame: Buffer, seq: number, aad: Buffer): boolean {
  try {
    cipher.open(frame, 0, frame.length, seq, aad)
    return false
  } catch (error) {
    return isSealError(error, 'SEAL_OPEN_FAILED')
  }
}
