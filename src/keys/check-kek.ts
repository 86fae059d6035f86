import { timingSafeEqual } from 'node:crypto'
import { SealError } from '../errors.ts'
import { refuseOversized } from './create-dek.ts'
import type { Kms, WrappedKey } from './kms.ts'

/**
 * Asks for one data key and throws it away, so that a KEK that does not wrap shows now and not at
 * 3 a.m. Resolves to the name in full and the version that the KMS tells. `keyDomain` is the longest
 * that will be sealed for. Throws SEAL_KMS_*, SEAL_KEK_*.
 */
export async function checkKek(
  kms: Pick<Kms, 'generateDataKey'>,
  kekId: string,
  keyDomain: string,
): Promise<Pick<WrappedKey, 'kekId' | 'kekVersion'>> {
  const made = await kms.generateDataKey(kekId, { app: 'sealstream', use: 'kek-check' })
  made.plaintext.fill(0)
  refuseOversized(made, keyDomain)
  return { kekId: made.kekId, kekVersion: made.kekVersion }
}

/**
 * Asks for one data key and has it unwrapped again, as sealing and reading do, so that a KEK that
 * wraps and does not open shows before anything stands under it. Throws as {@link checkKek} and, when
 * the KMS gives another key back, SEAL_KMS_REFUSED.
 */
export async function probeKek(
  kms: Pick<Kms, 'generateDataKey' | 'unwrap'>,
  kekId: string,
  keyDomain: string,
): Promise<Pick<WrappedKey, 'kekId' | 'kekVersion'>> {
  const context = { app: 'sealstream', use: 'kek-check' }
  const made = await kms.generateDataKey(kekId, context)
  try {
    refuseOversized(made, keyDomain)
    const opened = await kms.unwrap(made.kekId, made.wrapped, context)
    const isSame =
      opened.length === made.plaintext.length && timingSafeEqual(opened, made.plaintext)
    opened.fill(0)
    if (isSame) return { kekId: made.kekId, kekVersion: made.kekVersion }
  } finally {
    made.plaintext.fill(0)
  }
  throw new SealError('SEAL_KMS_REFUSED', `${kekId} does not give back the data key it wrapped`)
}
