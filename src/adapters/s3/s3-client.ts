import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'

/** How the bucket is reached. Without credentials the AWS default chain is asked. */
export interface S3Options {
  readonly endpoint?: string | undefined
  readonly region: string
  readonly bucket: string
  readonly forcePathStyle: boolean
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly requestTimeoutMs: number
}

/** What the headers of user metadata begin with. */
export const METADATA_PREFIX = 'x-amz-meta-'
/** Until a connection stands. */
export const CONNECTION_TIMEOUT_MS = 5_000
/** Connections of one client. */
export const SOCKETS_MAX = 64

/**
 * A client whose bodies are neither hashed for the signature nor checked by the SDK: every body
 * carries the CRC32 that its sender computed, and what is sent is authenticated ciphertext. That is
 * half of the CPU of an upload (docs/decisions, "multipart"). `attemptsMax` is how often the SDK
 * itself tries; whoever waits for services anyway wants to hear of the first failure.
 */
export function createS3Client(options: S3Options, attemptsMax: number): S3Client {
  const { accessKeyId, secretAccessKey, endpoint } = options
  const config: S3ClientConfig = {
    region: options.region,
    forcePathStyle: options.forcePathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: attemptsMax,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: options.requestTimeoutMs,
      // Without this the SDK only warns when the time is over, and waits on.
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
    },
  }
  if (endpoint !== undefined) config.endpoint = endpoint
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    config.credentials = { accessKeyId, secretAccessKey }
  }
  const client = new S3Client(config)
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { headers: Record<string, string>; body?: unknown }
      if (request.body instanceof Uint8Array) {
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      }
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'unsignedPayload' },
  )
  return client
}

/** Bucket and endpoint for messages. */
export function placeOfBucket(options: S3Options): string {
  return `bucket ${options.bucket} at ${options.endpoint ?? `S3 in ${options.region}`}`
}
