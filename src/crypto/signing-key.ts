import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { SealError } from '../errors.ts'

/** An Ed25519 key pair that signs statements, as PEM: PKCS #8 and SubjectPublicKeyInfo. */
export interface SigningKeyPair {
  readonly privatePem: string
  readonly publicPem: string
}

/** What signs. The key does not leave it. */
export interface Signer {
  readonly privateKey: KeyObject
  readonly publicPem: string
  readonly fingerprint: string
}

const FINGERPRINT = /^sha256:[0-9a-f]{64}$/

/** A new pair, from the system's random source. */
export function newSigningKey(): SigningKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicPem: pemOf(publicKey),
  }
}

/** What a private key signs as. Throws SEAL_SIGNING_KEY_REFUSED for anything but Ed25519 in PEM. */
export function signerOf(privatePem: string): Signer {
  const privateKey = ed25519(() => createPrivateKey(privatePem))
  const publicKey = createPublicKey(privateKey)
  return { privateKey, publicPem: pemOf(publicKey), fingerprint: fingerprintOf(publicKey) }
}

/** A public key. Throws SEAL_SIGNING_KEY_REFUSED for anything but Ed25519 in PEM, and for private keys. */
export function publicKeyOf(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY'))
    throw refused('it holds a private key, and only the public one is asked for')
  return ed25519(() => createPublicKey(pem))
}

/** `sha256:` and the SHA-256 of the key's SubjectPublicKeyInfo in DER, in hex. */
export function fingerprintOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}

/** Whether this is the text of a fingerprint. */
export function isFingerprint(text: string): boolean {
  return FINGERPRINT.test(text)
}

function pemOf(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }) as string
}

/** The causes stay out: what a parser says of a private key may quote it. */
function ed25519(read: () => KeyObject): KeyObject {
  let key: KeyObject
  try {
    key = read()
  } catch {
    throw refused('it is no key in PEM without a passphrase')
  }
  if (key.asymmetricKeyType === 'ed25519') return key
  throw refused(`it is a key of ${key.asymmetricKeyType}; Ed25519 is asked for`)
}

function refused(message: string): SealError {
  return new SealError('SEAL_SIGNING_KEY_REFUSED', message)
}
