import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
/** IV of a wrap; 96 bits, so that it goes into the counter as it is (NIST SP 800-38D). */
export const WRAP_IV_BYTES = 12
/** Authentication tag of a wrap. */
export const WRAP_TAG_BYTES = 16
const OPTIONS = { authTagLength: WRAP_TAG_BYTES } as const

/**
 * AES-256-GCM of `plaintext` under `kek`, bound to `aad`: IV, ciphertext, tag in one. The IV is
 * random, so one key makes at most 2^32 wraps (SP 800-38D, 8.3).
 */
export function wrapKey(kek: KeyObject, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const iv = randomBytes(WRAP_IV_BYTES)
  const cipher = createCipheriv(ALGORITHM, kek, iv, OPTIONS)
  cipher.setAAD(aad)
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/**
 * The plaintext of a {@link wrapKey}, in memory of its own that the caller wipes; null when it does
 * not authenticate.
 */
export function unwrapKey(kek: KeyObject, sealed: Uint8Array, aad: Uint8Array): Uint8Array | null {
  if (sealed.length < WRAP_IV_BYTES + WRAP_TAG_BYTES) return null
  const decipher = createDecipheriv(ALGORITHM, kek, sealed.subarray(0, WRAP_IV_BYTES), OPTIONS)
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-WRAP_TAG_BYTES))
  const scratch = decipher.update(sealed.subarray(WRAP_IV_BYTES, -WRAP_TAG_BYTES))
  try {
    decipher.final()
    return new Uint8Array(scratch)
  } catch {
    return null
  } finally {
    scratch.fill(0)
  }
}
