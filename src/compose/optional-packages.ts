import { SealError } from '../errors.ts'

/**
 * Packages that only one provider needs, at the versions that they are tested with: optional peers
 * in package.json, so that nobody else installs them.
 */
export const OPTIONAL_PACKAGES = {
  gcp: ['@google-cloud/kms@6.3.0', 'google-auth-library@11.3.4'],
  azure: ['@azure/keyvault-keys@4.10.2', '@azure/identity@4.14.1'],
} as const

/**
 * Loads an adapter with its vendor's packages. Throws SEAL_KMS_REFUSED with the command that
 * installs them when they are not there.
 */
export async function loadOptional<T>(
  provider: keyof typeof OPTIONAL_PACKAGES,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new SealError(
      'SEAL_KMS_REFUSED',
      `KMS provider ${provider} needs packages that are not installed; run npm install ${OPTIONAL_PACKAGES[provider].join(' ')}`,
    )
  }
}
