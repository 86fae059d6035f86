import { createCipheriv, createDecipheriv, randomBytes, webcrypto } from 'node:crypto'
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  getLocalCryptographicMaterialsCache,
  NodeCachingMaterialsManager,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node'
import { type CipherEngine, nodeEngine, selectEngine } from '../src/crypto/cipher-engine.ts'
import { SecretBytes } from '../src/crypto/secret-bytes.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_OVERHEAD_BYTES,
  TAG_BYTES,
  writeFrameHeader,
} from '../src/format/frame.ts'

/** One way to seal and open `frames` frames; `seal` is called before `open`. */
export interface CipherArm {
  readonly name: string
  readonly frames: number
  readonly seal: () => unknown
  readonly open: () => unknown
}

/** As long as the AAD of a frame of a topic with a name of common length. */
const AAD = randomBytes(90)
const KEY = randomBytes(32)
const BASE_NONCE = randomBytes(12)
const WEBCRYPTO_FRAMES_MAX = 512
const WEBCRYPTO_IN_FLIGHT = 64
const AWS_FRAMES_MAX = 64
const HOUR_MS = 3_600_000

/** All ways, over parcels of `parcelBytes`. The dear ones work on fewer frames than `framesMax`. */
export async function cipherArms(parcelBytes: number, framesMax: number): Promise<CipherArm[]> {
  const { engine } = await selectEngine('openssl')
  const dear = Math.min(framesMax, AWS_FRAMES_MAX)
  return [
    engineArm('openssl engine', engine, parcelBytes, framesMax),
    engineArm('node engine (KeyObject)', nodeEngine, parcelBytes, framesMax),
    rawKeyArm(parcelBytes, framesMax),
    await webCryptoArm(parcelBytes, Math.min(framesMax, WEBCRYPTO_FRAMES_MAX)),
    awsArm('AWS Encryption SDK', parcelBytes, dear),
    awsArm('AWS Encryption SDK, unsigned', parcelBytes, dear, UNSIGNED_SUITE),
  ]
}

/** A part of random parcels with their frame headers, and where each frame starts. */
function partOf(parcelBytes: number, frames: number): { part: Buffer; starts: number[] } {
  const frameBytes = parcelBytes + FRAME_OVERHEAD_BYTES
  const part = randomBytes(frames * frameBytes)
  const starts = Array.from({ length: frames }, (_, i) => i * frameBytes)
  starts.forEach((at, seq) => {
    writeFrameHeader(part, at, { frameBytes, seq, offset: seq, source: 0 })
  })
  return { part, starts }
}

function engineArm(
  name: string,
  engine: CipherEngine,
  parcelBytes: number,
  frames: number,
): CipherArm {
  const { part, starts } = partOf(parcelBytes, frames)
  const keys = { frameKey: SecretBytes.takeFrom(Buffer.from(KEY)), baseNonce: BASE_NONCE }
  const frameBytes = parcelBytes + FRAME_OVERHEAD_BYTES
  return {
    name,
    frames,
    seal: () => {
      using cipher = engine.create(keys)
      starts.forEach((at, seq) => {
        cipher.seal(part, at, frameBytes, seq, AAD)
      })
    },
    open: () => {
      using cipher = engine.create(keys)
      for (const [seq, at] of starts.entries()) cipher.open(part, at, frameBytes, seq, AAD)
    },
  }
}

/** What most code does: the key as bytes. */
function rawKeyArm(parcelBytes: number, frames: number): CipherArm {
  const { part, starts } = partOf(parcelBytes, frames)
  const nonce = Buffer.from(BASE_NONCE)
  return {
    name: 'createCipheriv, raw key bytes',
    frames,
    seal: () => {
      starts.forEach((at, seq) => {
        nonce.writeUInt32BE(seq, 8)
        const bodyAt = at + FRAME_HEADER_BYTES
        const tagAt = bodyAt + parcelBytes
        const cipher = createCipheriv('aes-256-gcm', KEY, nonce).setAAD(AAD)
        part.set(cipher.update(part.subarray(bodyAt, tagAt)), bodyAt)
        cipher.final()
        part.set(cipher.getAuthTag(), tagAt)
      })
    },
    open: () => {
      starts.forEach((at, seq) => {
        nonce.writeUInt32BE(seq, 8)
        const bodyAt = at + FRAME_HEADER_BYTES
        const tagAt = bodyAt + parcelBytes
        const decipher = createDecipheriv('aes-256-gcm', KEY, nonce).setAAD(AAD)
        decipher.setAuthTag(part.subarray(tagAt, tagAt + TAG_BYTES))
        decipher.update(part.subarray(bodyAt, tagAt))
        decipher.final()
      })
    },
  }
}

async function webCryptoArm(parcelBytes: number, frames: number): Promise<CipherArm> {
  const { subtle } = webcrypto
  const key = await subtle.importKey('raw', KEY, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const parcels = Array.from({ length: frames }, () => randomBytes(parcelBytes))
  const nonces = Array.from({ length: frames }, () => randomBytes(12))
  const settings = (i: number) => ({
    ...{ name: 'AES-GCM', tagLength: 128, additionalData: AAD },
    iv: nonces[i] as Buffer<ArrayBuffer>,
  })
  let sealed: ArrayBuffer[] = []
  const at = <T>(list: readonly T[], i: number) => list[i] as T
  return {
    name: `WebCrypto, ${WEBCRYPTO_IN_FLIGHT} in flight`,
    frames,
    seal: async () => {
      sealed = await inFlight(frames, (i) => subtle.encrypt(settings(i), key, at(parcels, i)))
    },
    open: () => inFlight(frames, (i) => subtle.decrypt(settings(i), key, at(sealed, i))),
  }
}

async function inFlight<T>(frames: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let from = 0; from < frames; from += WEBCRYPTO_IN_FLIGHT) {
    const count = Math.min(WEBCRYPTO_IN_FLIGHT, frames - from)
    results.push(...(await Promise.all(Array.from({ length: count }, (_, i) => work(from + i)))))
  }
  return results
}

/** Without the ECDSA signature that the SDK adds by default, which our frames have no twin of. */
const UNSIGNED_SUITE = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY

/** The AWS Encryption SDK with a raw AES keyring behind its caching materials manager. */
function awsArm(
  name: string,
  parcelBytes: number,
  frames: number,
  suiteId?: AlgorithmSuiteIdentifier,
): CipherArm {
  const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
  const keyring = new RawAesKeyringNode({
    keyName: 'bench',
    keyNamespace: 'bench',
    // The keyring wants the key in memory that it shares with nothing.
    unencryptedMasterKey: Uint8Array.from(KEY),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  })
  const materials = new NodeCachingMaterialsManager({
    backingMaterials: keyring,
    cache: getLocalCryptographicMaterialsCache(100),
    maxAge: HOUR_MS,
  })
  const parcels = Array.from({ length: frames }, () => randomBytes(parcelBytes))
  const options = {
    encryptionContext: { topic: 'bench', partition: '0' },
    ...(suiteId !== undefined && { suiteId }),
  }
  let sealed: Buffer[] = []
  return {
    name,
    frames,
    seal: async () => {
      sealed = []
      for (const parcel of parcels) {
        sealed.push((await encrypt(materials, parcel, options)).result)
      }
    },
    open: async () => {
      for (const message of sealed) await decrypt(materials, message)
    },
  }
}
