import { SealError } from '../errors.ts'

/**
 * Packages that only one provider needs, at the versions that they are tested with: optional peers
 * in package.json, so that nobody else installs them.
 */
export const OPTIONAL_PACKAGES = {
  gcp: ['@google-cloud/kms@6.3.0', 'google-auth-library@11.3.4'],
  azure: ['@azure/keyvault-keys@4.10.2', '@azure/identity@4.14.1'],
  pkcs11: ['pkcs11js@2.1.7'],
} as const

/**
 * Loads an adapter with its vendor's packages. Throws SEAL_KMS_REFUSED with the command that
 * installs them when they are not there, or builds them when npm was not let to.
 */
export async function loadOptional<T>(
  provider: keyof typeof OPTIONAL_PACKAGES,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code
    const packages = OPTIONAL_PACKAGES[provider].join(' ')
    // What an import does not find, and what a package does not find of itself.
    if (code === 'ERR_MODULE_NOT_FOUND') {
      throw refusal(provider, `are not installed; run npm install ${packages}`)
    }
    if (code === 'MODULE_NOT_FOUND') {
      throw refusal(provider, `are not built; run npm rebuild ${packages.replace(/@\d\S*/g, '')}`)
    }
    throw error
  }
}

function refusal(provider: string, state: string): SealError {
  return new SealError('SEAL_KMS_REFUSED', `KMS provider ${provider} needs packages that ${state}`)
}
