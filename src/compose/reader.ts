import type { AwsKmsOptions } from '../adapters/kms/aws-kms.ts'
import type { AzureKmsOptions } from '../adapters/kms/azure-options.ts'
import type { GcpKmsOptions } from '../adapters/kms/gcp-kms.ts'
import type { LocalKmsOptions } from '../adapters/kms/local-kms.ts'
import type { Pkcs11Options } from '../adapters/kms/pkcs11/calls.ts'
import type { VaultKmsOptions } from '../adapters/kms/vault-client.ts'
import type { S3Options } from '../adapters/s3/s3-client.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import { READ_BOUNDS, type ReadBounds } from '../reader/range-opener.ts'
import { SealedReader } from '../reader/sealed-reader.ts'
import { keyDirectoryOf } from './key-directory.ts'
import { type KmsChoice, openKms, READER_TRIES_MAX } from './kms.ts'
import { shredMarksOf } from './shred-marks.ts'

/** What a reader is told. Everything but buckets and keys has a default. */
export interface ReaderOptions {
  readonly s3: Pick<S3Options, 'bucket'> &
    Partial<S3Options> & {
      /**
       * What the object keys of the encryptor begin with (`s3.prefix` there): the key directory is
       * looked for under it, when the KEK that a segment was sealed with opens nothing any more.
       */
      readonly prefix?: string
      /**
       * Prefixes of objects that references may name; `prefix` alone by default. Whatever a reference
       * says, nothing else of the bucket is asked for, and no other bucket.
       */
      readonly allowedPrefixes?: readonly string[]
    }
  /** The provider and how it is reached; AWS KMS where none is named. */
  readonly kms: ReaderKms & {
    /** Ids or full names of the KEKs whose data keys may be unwrapped. Nothing else is ever asked for. */
    readonly allowedKeyIds: readonly string[]
  }
  /** Unwrapped data keys that are kept, and for how long: 1,000 for 5 minutes by default. */
  readonly keyCache?: { readonly entriesMax?: number; readonly ttlMs?: number }
  /**
   * What all calls together may have under way: bytes of ciphertext in memory (64 MiB; one larger
   * message passes alone) and requests to the object store (48).
   */
  readonly bounds?: Partial<ReadBounds>
}

/** How a KMS is reached; AWS where no provider is named. All that can have a default has one. */
export type ReaderKms =
  | ({ readonly provider?: 'aws' } & Partial<AwsKmsOptions>)
  | ({ readonly provider: 'vault' } & Pick<VaultKmsOptions, 'address'> & Partial<VaultKmsOptions>)
  | ({ readonly provider: 'gcp' } & Partial<GcpKmsOptions>)
  | ({ readonly provider: 'azure' } & Partial<AzureKmsOptions>)
  | ({ readonly provider: 'pkcs11'; readonly requestTimeoutMs?: number } & Pkcs11Options)
  | ({ readonly provider: 'local'; readonly requestTimeoutMs?: number } & LocalKmsOptions)

const REGION = 'us-east-1'
const PREFIX = 'sealstream'
const VAULT_MOUNT = 'transit'
const S3_TIMEOUT_MS = 30_000
const KMS_TIMEOUT_MS = 10_000
const CACHED_KEYS_MAX = 1_000
const CACHED_KEY_TTL_MS = 5 * 60_000

/**
 * Makes a reader over S3 and a KMS. Nothing is connected before the first reference is opened.
 * Close it when done: that drops its keys and connections.
 *
 * @example
 * const reader = createReader({ s3: { bucket: 'sealed' }, kms: { allowedKeyIds: [keyArn] } })
 * const message = await reader.openReference(record.value)
 */
export function createReader(options: ReaderOptions): SealedReader {
  const { kms, keyCache, bounds } = options
  const { prefix = PREFIX, allowedPrefixes = [prefix], ...s3 } = options.s3
  const objects = new S3ObjectReader({
    region: REGION,
    requestTimeoutMs: S3_TIMEOUT_MS,
    forcePathStyle: s3.endpoint !== undefined,
    ...s3,
  })
  const { allowedKeyIds, ...choice } = kms
  const keys = openKms(completed(choice), { triesMax: READER_TRIES_MAX })
  return new SealedReader(
    {
      objects,
      kms: keys,
      directory: keyDirectoryOf(objects, { prefix }),
      clock: systemClock,
      shreds: shredMarksOf(objects, { prefix }),
    },
    {
      allowedKekIds: allowedKeyIds,
      entriesMax: keyCache?.entriesMax ?? CACHED_KEYS_MAX,
      ttlMs: keyCache?.ttlMs ?? CACHED_KEY_TTL_MS,
      allowedPrefixes,
      bounds: { ...READ_BOUNDS, ...bounds },
    },
  )
}

function completed(choice: ReaderKms): KmsChoice {
  const requestTimeoutMs = KMS_TIMEOUT_MS
  switch (choice.provider) {
    case 'vault':
      return { requestTimeoutMs, mount: VAULT_MOUNT, ...choice }
    case 'gcp':
    case 'pkcs11':
    case 'local':
      return { requestTimeoutMs, ...choice }
    case 'azure':
      // Of no matter to a reader: each wrap says how it was made.
      return { requestTimeoutMs, algorithm: 'RSA-OAEP-256', ...choice }
    default:
      return { requestTimeoutMs, region: REGION, ...choice, provider: 'aws' }
  }
}
