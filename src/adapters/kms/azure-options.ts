/** How DEKs are wrapped: by RSA keys of a vault or Managed HSM, or by AES keys of a Managed HSM. */
export type AzureAlgorithm = 'RSA-OAEP-256' | 'A256GCM'

/**
 * How Azure Key Vault and Managed HSM are reached; the KEK's name says which vault. It stands apart
 * from the adapter so that the types of the public surface need no package of Azure.
 */
export interface AzureKmsOptions {
  /** How new wraps are made; each wrap says how it was made itself. */
  readonly algorithm: AzureAlgorithm
  /** Directory, id and secret of the client, all three or none; else the default Azure credentials. */
  readonly tenantId?: string | undefined
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  readonly requestTimeoutMs: number
}
