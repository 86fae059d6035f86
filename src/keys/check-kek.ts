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
