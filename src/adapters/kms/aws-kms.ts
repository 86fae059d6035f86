import {
  DecryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  type KMSClientConfig,
} from '@aws-sdk/client-kms'
import { messageOf, SealError } from '../../errors.ts'
import type { GeneratedDataKey, Kms, KmsContext } from '../../keys/kms.ts'

/** How AWS KMS is reached. Without credentials the AWS default chain is asked. */
export interface AwsKmsOptions {
  readonly endpoint?: string | undefined
  readonly region: string
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly requestTimeoutMs: number
}

const CONNECTION_TIMEOUT_MS = 5_000

/** Final answers of the KMS and what they ask of the user. */
const REFUSALS: Readonly<Record<string, string>> = {
  NotFoundException: 'no such key; mend kms.keyId or kms.region',
  DisabledException: 'the key is disabled; enable it or configure another',
  KMSInvalidStateException: 'the key is not usable (pending deletion or import)',
  AccessDeniedException: 'grant kms:GenerateDataKey and kms:Decrypt on the key',
  UnrecognizedClientException: 'mend kms.accessKeyId and kms.secretAccessKey',
  InvalidSignatureException: 'mend kms.secretAccessKey',
  IncompleteSignatureException: 'mend kms.accessKeyId and kms.secretAccessKey',
  CredentialsProviderError: 'set kms.accessKeyId and kms.secretAccessKey, or AWS credentials',
  InvalidCiphertextException: 'the wrapped key was altered, or belongs to another context',
  IncorrectKeyException: 'the wrapped key is under another KEK',
  InvalidKeyUsageException: 'the key is not for encryption',
  ValidationException: 'the request is not valid for this key',
}

/** Answers with a 4xx status that pass by themselves. */
const PASSING = new Set([
  'ThrottlingException',
  'Throttling',
  'RequestLimitExceeded',
  'LimitExceededException',
  'RequestTimeout',
  'RequestExpired',
])

/** KEKs in AWS KMS. Symmetric keys; the version is the KeyMaterialId where the service gives one. */
export class AwsKms implements Kms {
  readonly #client: KMSClient
  readonly #where: string

  constructor(options: AwsKmsOptions) {
    const { accessKeyId, secretAccessKey, endpoint } = options
    const config: KMSClientConfig = {
      region: options.region,
      maxAttempts: 3,
      requestHandler: {
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        requestTimeout: options.requestTimeoutMs,
        throwOnRequestTimeout: true,
      },
    }
    if (endpoint !== undefined) config.endpoint = endpoint
    if (accessKeyId !== undefined && secretAccessKey !== undefined) {
      config.credentials = { accessKeyId, secretAccessKey }
    }
    this.#client = new KMSClient(config)
    this.#where = endpoint ?? `AWS KMS in ${options.region}`
  }

  async generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey> {
    const answer = await this.#try(`a data key under ${kekId}`, () =>
      this.#client.send(
        new GenerateDataKeyCommand({
          KeyId: kekId,
          KeySpec: 'AES_256',
          EncryptionContext: { ...context },
        }),
      ),
    )
    return {
      plaintext: this.#required(answer.Plaintext),
      wrapped: this.#required(answer.CiphertextBlob),
      kekId: answer.KeyId ?? kekId,
      kekVersion: answer.KeyMaterialId ?? null,
    }
  }

  async unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    const answer = await this.#try(`unwrapping under ${kekId}`, () =>
      this.#client.send(
        new DecryptCommand({
          KeyId: kekId,
          CiphertextBlob: wrapped,
          EncryptionContext: { ...context },
        }),
      ),
    )
    return this.#required(answer.Plaintext)
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  #required(bytes: Uint8Array | undefined): Uint8Array {
    if (bytes !== undefined) return bytes
    throw new SealError('SEAL_KMS_UNAVAILABLE', `${this.#where} answers without a key`, {
      retryable: true,
    })
  }

  async #try<T>(doing: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      // The cause stays out: an SDK error may carry the request, and with it the wrapped key.
      throw this.#failure(error, doing)
    }
  }

  #failure(error: unknown, doing: string): SealError {
    const name = error instanceof Error ? error.name : ''
    const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata
      ?.httpStatusCode
    const isRefusal = status !== undefined && status >= 400 && status < 500
    const remedy = REFUSALS[name]
    if (remedy !== undefined || (isRefusal && !PASSING.has(name))) {
      return new SealError(
        'SEAL_KMS_REFUSED',
        `${this.#where} refuses ${doing} (${name || `status ${status}`}): ${remedy ?? 'see what the KMS says of this error'}`,
        // An instance that gives out credentials may be away for a moment.
        { retryable: name === 'CredentialsProviderError' },
      )
    }
    const code = (error as { code?: unknown } | null)?.code
    const reason = typeof code === 'string' ? code : plainReason(error)
    return new SealError(
      'SEAL_KMS_UNAVAILABLE',
      `${this.#where} does not answer (${doing}: ${reason})`,
      { retryable: true },
    )
  }
}

/** The SDK's advice on answers it cannot read is for its developers. */
function plainReason(error: unknown): string {
  const message = messageOf(error)
  return message.includes('$response') ? 'what answers is no KMS' : message
}
