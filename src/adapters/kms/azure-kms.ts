import { timingSafeEqual } from 'node:crypto'
import {
  ClientSecretCredential,
  DefaultAzureCredential,
  type TokenCredential,
} from '@azure/identity'
import {
  CryptographyClient,
  KeyClient,
  type KeyClientOptions,
  type KeyVaultKey,
} from '@azure/keyvault-keys'
import { isSealError, SealError } from '../../errors.ts'
import type { KmsContext, WrappedKey } from '../../keys/kms.ts'
import { canonicalContext, hashKmsContext } from '../../keys/kms-context.ts'
import { DEK_BYTES } from '../../limits.ts'
import { azureFailure } from './azure-failures.ts'
import type { AzureKmsOptions } from './azure-options.ts'
import { type AzureWrap, decodeAzureWrap, encodeAzureWrap, isKeyVersion } from './azure-wrap.ts'
import { WrappingKms } from './wrapping-kms.ts'

const KEK_NAME = /^(https:\/\/[A-Za-z0-9.-]+(?::\d+)?)\/keys\/([A-Za-z0-9-]{1,127})$/

type Policies = NonNullable<KeyClientOptions['additionalPolicies']>

/** What is to be wrapped under which version of which key, and for what. */
interface Wrapping {
  readonly dek: Uint8Array
  readonly context: KmsContext
  readonly version: string
  readonly client: CryptographyClient
}

/**
 * KEKs in Azure Key Vault and Managed HSM, named `https://VAULT/keys/NAME`. The vault makes no data
 * keys and cannot rewrap. RSA authenticates no context: its SHA-256 is wrapped with the DEK and compared
 * here. A256GCM has the canonical context as additional authenticated data.
 */
export class AzureKms extends WrappingKms {
  readonly #options: AzureKmsOptions
  readonly #credential: TokenCredential
  readonly #policies: Policies

  /** `policies` are put into the pipelines of the vendor's clients, tokens included. */
  constructor(options: AzureKmsOptions, policies: Policies = []) {
    super()
    this.#options = options
    this.#policies = policies
    this.#credential = credentialOf(options, this.#clientOptions())
  }

  /** The vendor's clients hold nothing that is to be closed. */
  override async close(): Promise<void> {}

  protected override async wrapDek(
    doing: string,
    kekId: string,
    dek: Uint8Array,
    context: KmsContext,
  ): Promise<WrappedKey> {
    const version = await this.#currentVersion(doing, kekId)
    const client = this.#cryptography(kekId, version)
    const wrapping = { dek, context, version, client }
    const wrap =
      this.#options.algorithm === 'A256GCM'
        ? await this.#encrypted(doing, wrapping)
        : await this.#wrappedByRsa(doing, wrapping)
    const wrapped = encodeAzureWrap(wrap)
    if (wrapped === null) throw noAnswer(doing)
    return { wrapped, kekId, kekVersion: version }
  }

  async #wrappedByRsa(doing: string, wrapping: Wrapping): Promise<AzureWrap> {
    const { dek, context, version, client } = wrapping
    const bound = Buffer.concat([dek, hashKmsContext(context)])
    try {
      const { result } = await this.#try(doing, false, () =>
        client.wrapKey('RSA-OAEP-256', bound, this.#request()),
      )
      return { version, ciphertext: result, gcm: null }
    } finally {
      bound.fill(0)
    }
  }

  async #encrypted(doing: string, wrapping: Wrapping): Promise<AzureWrap> {
    const { dek, context, version, client } = wrapping
    const additionalAuthenticatedData = canonicalContext(context)
    const answer = await this.#try(doing, false, () =>
      client.encrypt(
        { algorithm: 'A256GCM', plaintext: dek, additionalAuthenticatedData },
        this.#request(),
      ),
    )
    const { result, iv, authenticationTag: tag } = answer
    if (iv === undefined || tag === undefined) throw noAnswer(doing)
    return { version, ciphertext: result, gcm: { iv, tag } }
  }

  protected override async unwrapDek(
    doing: string,
    kekId: string,
    wrapped: Uint8Array,
    context: KmsContext,
  ): Promise<Uint8Array> {
    const wrap = decodeAzureWrap(wrapped)
    if (wrap === null) throw tampered(doing, 'is none of Azure')
    const { version, ciphertext, gcm } = wrap
    const client = this.#cryptography(kekId, version)
    const call =
      gcm === null
        ? () => client.unwrapKey('RSA-OAEP-256', ciphertext, this.#request())
        : () =>
            client.decrypt(
              {
                algorithm: 'A256GCM',
                ciphertext,
                iv: gcm.iv,
                authenticationTag: gcm.tag,
                additionalAuthenticatedData: canonicalContext(context),
              },
              this.#request(),
            )
    const { result } = await this.#try(doing, true, call).catch((error: unknown) =>
      this.#explained(error, doing, kekId),
    )
    return gcm === null ? takeBound(doing, result, context) : takeKey(doing, result, DEK_BYTES)
  }

  /**
   * Throws `error`, or a better one: a vault deletes keys with all their versions, so a version that is
   * not there while the key is belongs to another key, or is no version.
   */
  async #explained(error: unknown, doing: string, kekId: string): Promise<never> {
    if (!isSealError(error, 'SEAL_KEK_DESTROYED')) throw error
    const isThere = await this.#key(doing, kekId).then(
      () => true,
      () => false,
    )
    throw isThere ? tampered(doing, 'is of a version that the key does not have') : error
  }

  /**
   * The newest version of a key. It is asked for each time, because the clients do not pass on which
   * version wrapped, and because a vault wraps under a version that is switched off and then refuses
   * to unwrap.
   */
  async #currentVersion(doing: string, kekId: string): Promise<string> {
    const { version, enabled } = (await this.#key(doing, kekId)).properties
    if (enabled === false) {
      throw new SealError(
        'SEAL_KEK_DISABLED',
        `the newest version of ${kekId} is disabled; enable it or configure another key`,
      )
    }
    if (!isKeyVersion(version)) throw noAnswer(doing)
    return version
  }

  #key(doing: string, kekId: string): Promise<KeyVaultKey> {
    const { vaultUrl, name } = parseKekName(kekId)
    const client = new KeyClient(vaultUrl, this.#credential, this.#clientOptions())
    return this.#try(doing, false, () => client.getKey(name, this.#request()))
  }

  /**
   * A client for one key version and one call. A key object without key material keeps it from
   * fetching the key first and from its checks of dates, which would refuse to unwrap under a version
   * that has expired. It is not kept, because a call that meets others in the first one loses its body.
   */
  #cryptography(kekId: string, version: string): CryptographyClient {
    const { vaultUrl, name } = parseKekName(kekId)
    const id = `${kekId}/${version}`
    const key = { id, name, properties: { id, name, version, vaultUrl } }
    return new CryptographyClient(key, this.#credential, this.#clientOptions())
  }

  /** The clients write into their options. Tries are made by what is wrapped around this adapter. */
  #clientOptions() {
    return { retryOptions: { maxRetries: 0 }, additionalPolicies: this.#policies }
  }

  #request() {
    return { requestOptions: { timeout: this.#options.requestTimeoutMs } }
  }

  async #try<T>(doing: string, isOpening: boolean, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      // The cause stays out: an error of the clients carries the request, and with it the DEK.
      throw azureFailure(error, doing, isOpening)
    }
  }
}

function credentialOf(
  { tenantId, clientId, clientSecret }: AzureKmsOptions,
  clientOptions: { retryOptions: { maxRetries: number }; additionalPolicies: Policies },
): TokenCredential {
  return tenantId !== undefined && clientId !== undefined && clientSecret !== undefined
    ? new ClientSecretCredential(tenantId, clientId, clientSecret, clientOptions)
    : new DefaultAzureCredential(clientOptions)
}

function parseKekName(kekId: string): { readonly vaultUrl: string; readonly name: string } {
  const [, vaultUrl, name] = KEK_NAME.exec(kekId) ?? []
  if (vaultUrl !== undefined && name !== undefined) return { vaultUrl, name }
  throw new SealError(
    'SEAL_KMS_REFUSED',
    `${kekId} is no key of Azure; name it https://VAULT/keys/NAME`,
  )
}

/** The DEK out of what RSA unwrapped, which is wiped; refused when it is bound to another context. */
function takeBound(doing: string, result: Uint8Array, context: KmsContext): Uint8Array {
  const expected = hashKmsContext(context)
  const bound = takeKey(doing, result, DEK_BYTES + expected.length)
  try {
    if (timingSafeEqual(bound.subarray(DEK_BYTES), expected)) return bound.slice(0, DEK_BYTES)
    throw tampered(doing, 'is of another context')
  } finally {
    bound.fill(0)
  }
}

/** A copy of `result`, which is wiped. */
function takeKey(doing: string, result: Uint8Array, bytes: number): Uint8Array {
  const copy = Uint8Array.from(result)
  result.fill(0)
  if (copy.length === bytes) return copy
  copy.fill(0)
  throw tampered(doing, 'holds no data key')
}

const tampered = (doing: string, why: string) =>
  new SealError('SEAL_KEY_TAMPERED', `the wrapped key ${why} (${doing})`)

const noAnswer = (doing: string) =>
  new SealError('SEAL_KMS_UNAVAILABLE', `the vault answers without a key (${doing})`, {
    retryable: true,
  })
