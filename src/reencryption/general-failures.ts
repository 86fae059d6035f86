import { isSealError, type SealError } from '../errors.ts'

/** Rights, credentials, settings: what every other segment would meet too, here and now. */
const GENERAL = [
  'SEAL_STORE_REFUSED',
  'SEAL_MAPPING_REFUSED',
  'SEAL_KMS_DENIED',
  'SEAL_KMS_REFUSED',
  'SEAL_KEK_FORBIDDEN',
  'SEAL_CIPHER_UNAVAILABLE',
] as const

/** Whether a failure is about the process that met it, and not about the segment. */
export function concernsAll(error: unknown): error is SealError {
  return isSealError(error, ...GENERAL)
}
