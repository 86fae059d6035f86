import { crc32 } from 'node:zlib'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { isSealError, SealError } from '../../errors.ts'
import type {
  ExpectedObject,
  ObjectMetadata,
  ObjectStore,
  PartReceipt,
} from '../../segment/object-store.ts'
import { abortUpload } from './abort-upload.ts'
import { DirectRequests, OK } from './direct-requests.ts'
import { createS3Client, METADATA_PREFIX, placeOfBucket, type S3Options } from './s3-client.ts'
import { s3Error, statusOf } from './s3-errors.ts'

const CONTENT_TYPE = 'application/octet-stream'
/** Entries of the key directory, for people who look at one. */
const JSON_TYPE = 'application/json'
const PRECONDITION_FAILED = 412
const TOO_MANY_REQUESTS = 429
const SERVER_ERROR = 500

/**
 * The object store over the AWS SDK's client and, for whole objects, past it, with a multipart upload of our own:
 * parts go out of ready buffers with a CRC32 each, and an answer that got lost is settled by asking what is there.
 */
export class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client
  readonly #direct: DirectRequests
  readonly #options: S3Options

  constructor(options: S3Options) {
    this.#client = createS3Client(options, 1)
    this.#direct = new DirectRequests(this.#client, options)
    this.#options = options
  }

  async put(
    key: string,
    body: Uint8Array,
    metadata: ObjectMetadata,
    replaces?: string,
  ): Promise<void> {
    const contentType = key.endsWith('.json') ? JSON_TYPE : CONTENT_TYPE
    const checksum = checksumOf(body)
    const condition = conditionOf(replaces)
    const headers = putHeaders(contentType, checksum, condition, metadata)
    const status = await this.#direct.put({ key, body, headers })
    if (status === OK) return
    // A store that is busy asks not to be tried again at once; whoever called waits first.
    if (isBusy(status)) throw this.#error(answered(status), `PUT ${key}`)
    const command = new PutObjectCommand({
      Bucket: this.#options.bucket,
      Key: key,
      Body: body,
      ContentType: contentType,
      ChecksumCRC32: checksum,
      ...condition,
      Metadata: { ...metadata },
    })
    try {
      await this.#client.send(command)
    } catch (error) {
      const isOurs = isUnmet(error) && (await this.#holds(key, { bytes: body.length, metadata }))
      if (!isOurs) throw this.#refusal(error, `PUT ${key}`, replaces)
    }
  }

  async createUpload(key: string, metadata: ObjectMetadata): Promise<string> {
    const command = new CreateMultipartUploadCommand({
      Bucket: this.#options.bucket,
      Key: key,
      ContentType: CONTENT_TYPE,
      ChecksumAlgorithm: 'CRC32',
      Metadata: { ...metadata },
    })
    const { UploadId } = await this.#try(`opening the upload of ${key}`, () =>
      this.#client.send(command),
    )
    return required(UploadId, 'an upload id')
  }

  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: Uint8Array,
  ): Promise<PartReceipt> {
    const checksum = checksumOf(body)
    const command = new UploadPartCommand({
      Bucket: this.#options.bucket,
      Key: key,
      UploadId: uploadId,
      PartNumber: partNumber,
      Body: body,
      ChecksumCRC32: checksum,
    })
    const { ETag } = await this.#try(`part ${partNumber} of ${key}`, () =>
      this.#client.send(command),
    )
    return { partNumber, etag: required(ETag, 'an ETag'), checksum }
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly PartReceipt[],
    expected: ExpectedObject,
    replaces?: string,
  ): Promise<void> {
    const command = new CompleteMultipartUploadCommand({
      Bucket: this.#options.bucket,
      Key: key,
      UploadId: uploadId,
      ...conditionOf(replaces),
      MultipartUpload: {
        Parts: parts.map(({ partNumber, etag, checksum }) => ({
          PartNumber: partNumber,
          ETag: etag,
          ChecksumCRC32: checksum,
        })),
      },
    })
    try {
      await this.#client.send(command)
    } catch (error) {
      // The first answer may have got lost; then the upload is gone and the object is there.
      if (await this.#holds(key, expected)) return
      throw this.#refusal(error, `completing ${key}`, replaces)
    }
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    const place = { Bucket: this.#options.bucket, Key: key, UploadId: uploadId }
    await this.#try(`aborting the upload of ${key}`, () => abortUpload(this.#client, place))
  }

  /**
   * Finds out whether objects can be written, and leaves nothing behind: an upload is opened under
   * `prefix` and aborted. Throws SEAL_STORE_REFUSED or SEAL_STORE_UNAVAILABLE.
   */
  async checkWritable(prefix: string): Promise<void> {
    const key = `${prefix}/write-check`
    await this.abortUpload(key, await this.createUpload(key, {}))
  }

  async close(): Promise<void> {
    await this.#direct.close()
    this.#client.destroy()
  }

  /** Whether the object at `key` is the one that this very writing has made. */
  async #holds(key: string, expected: ExpectedObject): Promise<boolean> {
    try {
      const command = new HeadObjectCommand({ Bucket: this.#options.bucket, Key: key })
      const { ContentLength, Metadata } = await this.#client.send(command)
      const isSame = Object.entries(expected.metadata).every(
        ([name, value]) => Metadata?.[name] === value,
      )
      return isSame && ContentLength === expected.bytes
    } catch (error) {
      const failure = this.#error(error, `looking at ${key}`)
      if (isSealError(failure, 'SEAL_OBJECT_MISSING')) return false
      throw failure
    }
  }

  async #try<T>(doing: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw this.#error(error, doing)
    }
  }

  #refusal(error: unknown, doing: string, replaces: string | undefined): SealError {
    const isGone = isSealError(this.#error(error, doing), 'SEAL_OBJECT_MISSING')
    if (replaces === undefined || !(isUnmet(error) || isGone)) return this.#error(error, doing)
    const message = `${doing}: somebody else has replaced or removed the object meanwhile`
    return new SealError('SEAL_OBJECT_CHANGED', message, { cause: error })
  }

  #error(error: unknown, doing: string): SealError {
    return s3Error(error, doing, placeOfBucket(this.#options))
  }
}

/** Only in place of that object, or of none. */
function conditionOf(replaces: string | undefined): { IfMatch?: string; IfNoneMatch?: string } {
  return replaces === undefined ? { IfNoneMatch: '*' } : { IfMatch: replaces }
}

/** What the SDK would send with a PUT. */
function putHeaders(
  contentType: string,
  checksum: string,
  { IfMatch, IfNoneMatch }: { IfMatch?: string; IfNoneMatch?: string },
  metadata: ObjectMetadata,
): Record<string, string> {
  const described = Object.entries(metadata).map(([name, value]) => [
    METADATA_PREFIX + name.toLowerCase(),
    value,
  ])
  return {
    ...{ 'content-type': contentType, 'x-amz-checksum-crc32': checksum },
    ...(IfMatch === undefined ? {} : { 'if-match': IfMatch }),
    ...(IfNoneMatch === undefined ? {} : { 'if-none-match': IfNoneMatch }),
    ...Object.fromEntries(described),
  }
}

function isBusy(status: number | null): status is number {
  return status !== null && (status === TOO_MANY_REQUESTS || status >= SERVER_ERROR)
}

/** As the SDK tells of an answer. */
function answered(status: number): Error {
  return Object.assign(new Error(`status ${status}`), { $metadata: { httpStatusCode: status } })
}

function isUnmet(error: unknown): boolean {
  return statusOf(error) === PRECONDITION_FAILED
}

/** CRC32 as S3 wants it: big-endian, in base64. */
function checksumOf(body: Uint8Array): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return bytes.toString('base64')
}

function required(value: string | undefined, what: string): string {
  if (value !== undefined) return value
  throw new SealError('SEAL_STORE_UNAVAILABLE', `the object store answers without ${what}`, {
    retryable: true,
  })
}
