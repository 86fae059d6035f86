import type { AzureAlgorithm } from './azure-options.ts'

/**
 * Azure's answers name neither the key version nor the algorithm that a wrap needs to be opened, so
 * they stand before it:
 *
 *   algorithm (1) | length of the version (1) | version, ASCII | RSA-OAEP-256: ciphertext
 *                                                              | A256GCM: iv (12), tag (16), ciphertext
 */
export interface AzureWrap {
  readonly version: string
  readonly ciphertext: Uint8Array
  /** With A256GCM alone. */
  readonly gcm: { readonly iv: Uint8Array; readonly tag: Uint8Array } | null
}

const NUMBERS: Readonly<Record<AzureAlgorithm, number>> = { 'RSA-OAEP-256': 1, A256GCM: 2 }
const HEAD_BYTES = 2
const IV_BYTES = 12
const TAG_BYTES = 16
/** What a version may hold: it becomes a step of a path. Those of today are 32 hex digits. */
const VERSION = /^[A-Za-z0-9-]{1,64}$/

/** Whether `version` is one that a wrap can carry. */
export function isKeyVersion(version: string | undefined): version is string {
  return version !== undefined && VERSION.test(version)
}

/** The bytes of a wrap; null when its parts do not have the lengths that they should have. */
export function encodeAzureWrap({ version, ciphertext, gcm }: AzureWrap): Uint8Array | null {
  if (ciphertext.length === 0) return null
  if (gcm !== null && (gcm.iv.length !== IV_BYTES || gcm.tag.length !== TAG_BYTES)) return null
  const number = NUMBERS[gcm === null ? 'RSA-OAEP-256' : 'A256GCM']
  return Buffer.concat([
    Buffer.from([number, version.length]),
    Buffer.from(version, 'ascii'),
    ...(gcm === null ? [] : [gcm.iv, gcm.tag]),
    ciphertext,
  ])
}

/** The wrap in `bytes`, as views of them; null when they are none. */
export function decodeAzureWrap(bytes: Uint8Array): AzureWrap | null {
  const [number, length = 0] = bytes
  const versionEnd = HEAD_BYTES + length
  const version = Buffer.from(bytes.subarray(HEAD_BYTES, versionEnd)).toString('latin1')
  if (!isKeyVersion(version) || version.length !== length) return null
  const rest = bytes.subarray(versionEnd)
  if (number === NUMBERS['RSA-OAEP-256']) {
    return rest.length === 0 ? null : { version, ciphertext: rest, gcm: null }
  }
  const tagEnd = IV_BYTES + TAG_BYTES
  if (number !== NUMBERS.A256GCM || rest.length <= tagEnd) return null
  const gcm = { iv: rest.subarray(0, IV_BYTES), tag: rest.subarray(IV_BYTES, tagEnd) }
  return { version, ciphertext: rest.subarray(tagEnd), gcm }
}
