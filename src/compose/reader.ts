import { AwsKms, type AwsKmsOptions } from '../adapters/kms/aws-kms.ts'
import type { S3Options } from '../adapters/s3/s3-client.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import { SealedReader } from '../reader/sealed-reader.ts'

/** What a reader is told. Everything but buckets and keys has a default. */
export interface ReaderOptions {
  readonly s3: Pick<S3Options, 'bucket'> & Partial<S3Options>
  readonly kms: Partial<AwsKmsOptions> & {
    /** Ids or ARNs of the KEKs whose data keys may be unwrapped. Nothing else is ever asked for. */
    readonly allowedKeyIds: readonly string[]
  }
  /** Unwrapped data keys that are kept, and for how long. */
  readonly keyCache?: { readonly entriesMax?: number; readonly ttlMs?: number }
}

const REGION = 'us-east-1'
const S3_TIMEOUT_MS = 30_000
const KMS_TIMEOUT_MS = 10_000
const CACHED_KEYS_MAX = 1_000
const CACHED_KEY_TTL_MS = 5 * 60_000

/**
 * Makes a reader over S3 and AWS KMS. Nothing is connected before the first reference is opened.
 * Close it when done: that drops its keys and connections.
 *
 * @example
 * const reader = createReader({ s3: { bucket: 'sealed' }, kms: { allowedKeyIds: [keyArn] } })
 * const message = await reader.openReference(record.value)
 */
export function createReader(options: ReaderOptions): SealedReader {
  const { s3, kms, keyCache } = options
  const objects = new S3ObjectReader({
    region: REGION,
    requestTimeoutMs: S3_TIMEOUT_MS,
    forcePathStyle: s3.endpoint !== undefined,
    ...s3,
  })
  const { allowedKeyIds, ...kmsOptions } = kms
  const keys = new AwsKms({ region: REGION, requestTimeoutMs: KMS_TIMEOUT_MS, ...kmsOptions })
  return new SealedReader(
    { objects, kms: keys, clock: systemClock },
    {
      allowedKekIds: allowedKeyIds,
      entriesMax: keyCache?.entriesMax ?? CACHED_KEYS_MAX,
      ttlMs: keyCache?.ttlMs ?? CACHED_KEY_TTL_MS,
    },
  )
}
