import { readFile } from 'node:fs/promises'
import { KeyManagementServiceClient, type protos } from '@google-cloud/kms'
import { crc32c } from '@node-rs/crc32'
import { GoogleAuth, JWT } from 'google-auth-library'
import { SealError } from '../../errors.ts'
import type { KmsContext, WrappedKey } from '../../keys/kms.ts'
import { canonicalContext } from '../../keys/kms-context.ts'
import { DEK_BYTES } from '../../limits.ts'

import { gcpFailure } from './gcp-failures.ts'
import { WrappingKms } from './wrapping-kms.ts'

/** How Google Cloud KMS is reached. Without a file the application default credentials are used. */
export interface GcpKmsOptions {
  /** http or https URL of the service, without a path. */
  readonly endpoint?: string | undefined
  /** JSON file with the key of a service account. */
  readonly credentialsFile?: string | undefined
  readonly requestTimeoutMs: number
}

const SCOPE = 'https://www.googleapis.com/auth/cloudkms'
const KEK_NAME = /^projects\/[\w:.-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+$/

type Call<Request, Answer> = (request: Request, options: object) => Promise<readonly [Answer]>

/** The calls of the client that are used here. */
interface Calls {
  readonly encrypt: Call<
    protos.google.cloud.kms.v1.IEncryptRequest,
    protos.google.cloud.kms.v1.IEncryptResponse
  >
  readonly decrypt: Call<
    protos.google.cloud.kms.v1.IDecryptRequest,
    protos.google.cloud.kms.v1.IDecryptResponse
  >
}

/** Bytes as the client decodes them out of an answer. */
type Bytes = Uint8Array | string | null | undefined
/** A checksum as the client decodes it. */
type Checksum = { readonly value?: unknown } | null | undefined

/**
 * KEKs in Google Cloud KMS, symmetric keys named by their full resource name; the version is the
 * number of the key version that wrapped. The service makes no data keys and cannot rewrap. The canonical
 * context is the additional authenticated data. Every transfer is checked by CRC-32C in both
 * directions, as https://cloud.google.com/kms/docs/data-integrity-guidelines asks.
 */
export class GcpKms extends WrappingKms {
  readonly #client: KeyManagementServiceClient
  readonly #where: string
  readonly #timeoutMs: number

  private constructor(client: KeyManagementServiceClient, where: string, timeoutMs: number) {
    super()
    this.#client = client
    this.#where = where
    this.#timeoutMs = timeoutMs
  }

  /** Finds credentials. Throws SEAL_KMS_DENIED when there are none, retryable where they may come. */
  static async open(options: GcpKmsOptions): Promise<GcpKms> {
    const { endpoint, credentialsFile, requestTimeoutMs } = options
    const where = endpoint ?? 'Google Cloud KMS'
    const client = new KeyManagementServiceClient({
      // REST: plain HTTPS through proxies, and no gRPC channel to keep alive.
      fallback: true,
      ...(endpoint === undefined ? {} : placeOf(endpoint)),
      ...(credentialsFile === undefined ? {} : { auth: await serviceAccount(credentialsFile) }),
    })
    try {
      // The client keeps a failure for good, and lets calls after one end the process.
      await client.initialize()
    } catch {
      throw new SealError(
        'SEAL_KMS_DENIED',
        `no credentials for ${where}: set kms.gcp.credentialsFile or application default credentials`,
        // A metadata server may be away for a moment.
        { retryable: true },
      )
    }
    return new GcpKms(client, where, requestTimeoutMs)
  }

  override async close(): Promise<void> {
    await this.#client.close()
  }

  protected override async wrapDek(
    doing: string,
    kekId: string,
    plaintext: Uint8Array,
    context: KmsContext,
  ): Promise<WrappedKey> {
    const aad = canonicalContext(context)
    const [answer] = await this.#try(doing, kekId, () =>
      this.#calls.encrypt(
        {
          name: kekId,
          plaintext,
          plaintextCrc32c: { value: crc32c(plaintext) },
          additionalAuthenticatedData: aad,
          additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
        },
        this.#once(kekId),
      ),
    )
    if (!answer.verifiedPlaintextCrc32c || !answer.verifiedAdditionalAuthenticatedDataCrc32c) {
      throw this.#damaged(doing, 'the request')
    }
    const wrapped = this.#checked(doing, answer.ciphertext, answer.ciphertextCrc32c)
    const version = /\/cryptoKeyVersions\/(\d+)$/.exec(answer.name ?? '')?.[1]
    if (version === undefined) throw this.#damaged(doing, 'the answer')
    return { wrapped, kekId, kekVersion: version }
  }

  protected override async unwrapDek(
    doing: string,
    kekId: string,
    wrapped: Uint8Array,
    context: KmsContext,
  ): Promise<Uint8Array> {
    const aad = canonicalContext(context)
    const [answer] = await this.#try(doing, kekId, () =>
      this.#calls.decrypt(
        {
          name: kekId,
          ciphertext: wrapped,
          ciphertextCrc32c: { value: crc32c(wrapped) },
          additionalAuthenticatedData: aad,
          additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
        },
        this.#once(kekId),
      ),
    )
    const plaintext = this.#checked(doing, answer.plaintext, answer.plaintextCrc32c)
    if (plaintext.length === DEK_BYTES) return plaintext
    plaintext.fill(0)
    throw new SealError('SEAL_KEY_TAMPERED', `what ${kekId} unwraps is no data key`)
  }

  /**
   * Its methods of the same names print requests and answers, the DEK among them, where
   * GOOGLE_SDK_NODE_LOGGING is set; the calls below them do not.
   */
  get #calls(): Calls {
    return this.#client.innerApiCalls as unknown as Calls
  }

  /** Options of one call: one try, no second one of the client's own. */
  #once(kekId: string) {
    const headers = { 'x-goog-request-params': `name=${encodeURIComponent(kekId)}` }
    return { timeout: this.#timeoutMs, retry: { retryCodes: [] }, otherArgs: { headers } }
  }

  /** A copy of `bytes` when they are what the service sent; the client's own are wiped. */
  #checked(doing: string, bytes: Bytes, sum: Checksum): Uint8Array {
    if (!(bytes instanceof Uint8Array)) throw this.#damaged(doing, 'the answer')
    const copy = Uint8Array.from(bytes)
    bytes.fill(0)
    if (copy.length > 0 && Number(sum?.value) === crc32c(copy)) return copy
    copy.fill(0)
    throw this.#damaged(doing, 'the answer')
  }

  #damaged(doing: string, what: string): SealError {
    return new SealError(
      'SEAL_KMS_UNAVAILABLE',
      `${this.#where} does not answer (${doing}: ${what} was damaged on the way)`,
      { retryable: true },
    )
  }

  async #try<T>(doing: string, kekId: string, call: () => Promise<T>): Promise<T> {
    if (!KEK_NAME.test(kekId)) {
      throw new SealError(
        'SEAL_KMS_REFUSED',
        `${kekId} is no key of Google Cloud KMS; name it projects/P/locations/L/keyRings/R/cryptoKeys/K`,
      )
    }
    try {
      return await call()
    } catch (error) {
      // The cause stays out: an error of the client may carry the request, and with it the DEK.
      throw gcpFailure(error, this.#where, doing)
    }
  }
}

function placeOf(endpoint: string) {
  const { protocol, hostname, port } = new URL(endpoint)
  const isPlain = protocol === 'http:'
  return {
    apiEndpoint: hostname,
    port: port === '' ? (isPlain ? 80 : 443) : Number(port),
    protocol: isPlain ? 'http' : 'https',
  }
}

async function serviceAccount(file: string): Promise<GoogleAuth> {
  const account = await jsonOf(file)
  const { type, client_email: email, private_key: key } = account
  if (type !== 'service_account' || typeof email !== 'string' || typeof key !== 'string') {
    throw new SealError(
      'SEAL_KMS_DENIED',
      `kms.gcp.credentialsFile: ${file} holds no key of a service account; leave it out to use application default credentials`,
    )
  }
  const keyId = account.private_key_id
  const client = new JWT({
    email,
    key,
    scopes: [SCOPE],
    ...(typeof keyId === 'string' ? { keyId } : {}),
  })
  // The token is signed here, so that no token service is needed beside the KMS.
  client.useJWTAccessWithScope = true
  return new GoogleAuth({ authClient: client })
}

async function jsonOf(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return { ...JSON.parse(await readFile(file, 'utf8')) }
  } catch (error) {
    // Not the message of a parser, which may quote the key.
    const code = (error as { code?: unknown }).code
    const reason = typeof code === 'string' ? code : 'not JSON'
    throw new SealError(
      'SEAL_KMS_DENIED',
      `kms.gcp.credentialsFile: ${file} cannot be read (${reason})`,
    )
  }
}
