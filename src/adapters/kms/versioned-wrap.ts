import { WRAP_IV_BYTES, WRAP_TAG_BYTES } from '../../crypto/key-wrap.ts'
import { SealError } from '../../errors.ts'
import { DEK_BYTES } from '../../limits.ts'

/**
 * The wrapped bytes of the providers that wrap with a bare AES key: format (1 byte, 1), length of
 * the version (1 byte), version, IV (12 bytes), ciphertext of the DEK (32 bytes), tag (16 bytes).
 */
const FORMAT = 1
const HEAD_BYTES = 2
/** The longest version, in bytes. */
export const VERSION_BYTES_MAX = 32
/** Bytes behind the version: IV, ciphertext, tag. */
const SEALED_DEK_BYTES = WRAP_IV_BYTES + DEK_BYTES + WRAP_TAG_BYTES

/** Which version of a KEK wrapped, and what it made: IV, ciphertext and tag. */
export interface VersionedWrap {
  readonly version: Uint8Array
  readonly sealed: Uint8Array
}

/** The bytes as they are stored. */
export function encodeWrap({ version, sealed }: VersionedWrap): Buffer {
  return Buffer.concat([Buffer.from([FORMAT, version.length]), version, sealed])
}

/**
 * Views into `wrapped`. Throws SEAL_KEY_TAMPERED for anything that {@link encodeWrap} did not make
 * of a DEK; `kekId` is for the message.
 */
export function decodeWrap(kekId: string, wrapped: Uint8Array): VersionedWrap {
  const [format, versionBytes = 0] = wrapped
  const sealedAt = HEAD_BYTES + versionBytes
  const isWrap =
    format === FORMAT &&
    versionBytes > 0 &&
    versionBytes <= VERSION_BYTES_MAX &&
    wrapped.length === sealedAt + SEALED_DEK_BYTES
  if (!isWrap) throw notTheWrap(kekId)
  return { version: wrapped.subarray(HEAD_BYTES, sealedAt), sealed: wrapped.subarray(sealedAt) }
}

/** What is said of a wrapped key that does not open under the KEK it names. */
export function notTheWrap(kekId: string): SealError {
  return new SealError(
    'SEAL_KEY_TAMPERED',
    `the wrapped key does not open under ${kekId}: it was altered, or belongs to another context or KEK`,
  )
}
