import {
  DecryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  type KMSClientConfig,
  ReEncryptCommand,
} from '@aws-sdk/client-kms'
import { type ErrorCode, messageOf, SealError } from '../../errors.ts'
import type { GeneratedDataKey, Kms, KmsContext, WrappedKey } from '../../keys/kms.ts'
import { catchPlaintext } from './aws-plaintext.ts'
import { wipingAgents } from './wiping-agents.ts'

/** How AWS KMS is reached. Without credentials the AWS default chain is asked. */
export interface AwsKmsOptions {
  readonly endpoint?: string | undefined
  readonly region: string
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly requestTimeoutMs: number
}

const CONNECTION_TIMEOUT_MS = 5_000

/** Final answers of the KMS: their code here, and what they ask of the user. */
const REFUSALS: Readonly<Record<string, readonly [ErrorCode, remedy: string]>> = {
  NotFoundException: ['SEAL_KEK_DESTROYED', 'no such key; mend kms.keyId or kms.aws.region'],
  DisabledException: ['SEAL_KEK_DISABLED', 'the key is disabled; enable it or configure another'],
  KMSInvalidStateException: [
    'SEAL_KEK_DISABLED',
    'the key is pending deletion or import; cancel the deletion or configure another',
  ],
  AccessDeniedException: [
    'SEAL_KMS_DENIED',
    'grant kms:GenerateDataKey and kms:Decrypt on the key (kms:ReEncrypt* to rewrap)',
  ],
  UnrecognizedClientException: ['SEAL_KMS_DENIED', 'mend kms.aws.accessKeyId and secretAccessKey'],
  InvalidSignatureException: ['SEAL_KMS_DENIED', 'mend kms.aws.secretAccessKey'],
  IncompleteSignatureException: ['SEAL_KMS_DENIED', 'mend kms.aws.accessKeyId and secretAccessKey'],
  CredentialsProviderError: [
    'SEAL_KMS_DENIED',
    'set kms.aws.accessKeyId and kms.aws.secretAccessKey, or AWS credentials',
  ],
  InvalidCiphertextException: [
    'SEAL_KEY_TAMPERED',
    'the wrapped key was altered, or belongs to another context',
  ],
  IncorrectKeyException: ['SEAL_KEY_TAMPERED', 'the wrapped key is under another KEK'],
  InvalidKeyUsageException: ['SEAL_KMS_REFUSED', 'the key is not for encryption'],
  ValidationException: ['SEAL_KMS_REFUSED', 'the request is not valid for this key'],
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
      // Tries are made, counted and limited by what is wrapped around this adapter.
      maxAttempts: 1,
      requestHandler: {
        ...wipingAgents(),
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
    const command = new GenerateDataKeyCommand({
      KeyId: kekId,
      KeySpec: 'AES_256',
      EncryptionContext: { ...context },
    })
    const plaintext = catchPlaintext(command)
    try {
      const answer = await this.#try(`a data key under ${kekId}`, () => this.#client.send(command))
      return {
        plaintext: this.#required(plaintext()),
        wrapped: this.#required(answer.CiphertextBlob),
        kekId: answer.KeyId ?? kekId,
        kekVersion: answer.KeyMaterialId ?? null,
      }
    } catch (error) {
      plaintext()?.fill(0)
      throw error
    }
  }

  async unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    const command = new DecryptCommand({
      KeyId: kekId,
      CiphertextBlob: wrapped,
      EncryptionContext: { ...context },
    })
    const plaintext = catchPlaintext(command)
    try {
      await this.#try(`unwrapping under ${kekId}`, () => this.#client.send(command))
      return this.#required(plaintext())
    } catch (error) {
      plaintext()?.fill(0)
      throw error
    }
  }

  async rewrap(
    kekId: string,
    wrapped: Uint8Array,
    toKekId: string,
    context: KmsContext,
  ): Promise<WrappedKey> {
    const answer = await this.#try(`rewrapping from ${kekId} to ${toKekId}`, () =>
      this.#client.send(
        new ReEncryptCommand({
          SourceKeyId: kekId,
          CiphertextBlob: wrapped,
          SourceEncryptionContext: { ...context },
          DestinationKeyId: toKekId,
          DestinationEncryptionContext: { ...context },
        }),
      ),
    )
    return {
      wrapped: this.#required(answer.CiphertextBlob),
      kekId: answer.KeyId ?? toKekId,
      kekVersion: answer.DestinationKeyMaterialId ?? null,
    }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  #required(bytes: Uint8Array | null | undefined): Uint8Array {
    if (bytes) return bytes
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
    const refusal = REFUSALS[name]
    if (refusal !== undefined || (isRefusal && !PASSING.has(name))) {
      const [code, remedy] = refusal ?? ['SEAL_KMS_REFUSED', 'see what the KMS says of this error']
      return new SealError(
        code,
        `${this.#where} refuses ${doing} (${name || `status ${status}`}): ${remedy}`,
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
