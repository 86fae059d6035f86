import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { SealError } from '../../errors.ts'
import {
  type ObjectInventory,
  type OpenUpload,
  type StoredObject,
  versionsOf,
} from '../../segment/object-inventory.ts'
import { abortUpload } from './abort-upload.ts'
import { createS3Client, placeOfBucket, type S3Options } from './s3-client.ts'
import { s3Error, statusOf } from './s3-errors.ts'

/** Who walks a bucket hears of a failure only when trying again did not help. */
const ATTEMPTS_MAX = 3

/** What S3 gives at most. */
const PAGE_ITEMS = 1_000

/** What S3 calls an object that was written without versions. */
const NULL_VERSION = 'null'

/** How servers say that they do not know of versions. */
const NO_VERSIONS: readonly (number | undefined)[] = [405, 501]

const LIST_RIGHTS = 's3:ListBucketVersions, s3:ListBucket and s3:ListBucketMultipartUploads'
const LOOK_RIGHTS = 's3:GetObjectVersion, s3:GetObjectRetention and s3:GetObjectLegalHold'
const REMOVE_RIGHTS = 's3:DeleteObjectVersion, s3:DeleteObject and s3:AbortMultipartUpload'

/** {@link ObjectInventory} over S3. Close it when done. */
export class S3ObjectInventory implements ObjectInventory {
  readonly #client: S3Client
  readonly #options: S3Options
  readonly #pageItems: number

  /** `pageItems` is how many a server is asked for at once. */
  constructor(options: S3Options, pageItems = PAGE_ITEMS) {
    this.#client = createS3Client(options, ATTEMPTS_MAX)
    this.#options = options
    this.#pageItems = pageItems
  }

  async *objects(prefix: string): AsyncGenerator<StoredObject> {
    const versions = this.#versions(prefix)
    let first: IteratorResult<StoredObject>
    try {
      first = await versions.next()
    } catch (error) {
      if (!NO_VERSIONS.includes(statusOf((error as SealError).cause))) throw error
      return yield* this.#withoutVersions(prefix)
    }
    if (!first.done) yield first.value
    yield* versions
  }

  /**
   * Goes on behind a key, not in the midst of one: versitygw refuses the latter. So the last key of
   * a page is left to the next one, unless it fills the page by itself.
   */
  async *uploads(prefix: string): AsyncGenerator<OpenUpload> {
    let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
    let isTruncated: boolean
    do {
      const command = new ListMultipartUploadsCommand({
        ...{ Bucket: this.#options.bucket, Prefix: prefix, MaxUploads: this.#pageItems },
        ...marker,
      })
      const page = await this.#list(prefix, () => this.#client.send(command))
      const found = (page.Uploads ?? []).map(({ Key, UploadId, Initiated }) => ({
        ...{ key: Key ?? '', uploadId: UploadId ?? '' },
        startedAtMs: Initiated?.getTime() ?? Number.NaN,
      }))
      isTruncated = page.IsTruncated ?? false
      const whole = found.filter(({ key }) => key !== found.at(-1)?.key)
      if (isTruncated && whole.length > 0) {
        yield* whole
        marker = { KeyMarker: whole.at(-1)?.key }
      } else {
        yield* found
        marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
      }
    } while (isTruncated)
  }

  async retainedUntilMs({ key, versionId, isCurrent }: StoredObject): Promise<number | null> {
    // versitygw lists a version `null` in buckets without versions, and then knows of none.
    const isNamed = versionId !== null && !(versionId === NULL_VERSION && isCurrent)
    const command = new HeadObjectCommand({
      Bucket: this.#options.bucket,
      Key: key,
      ...(isNamed ? { VersionId: versionId } : {}),
    })
    try {
      const { ObjectLockLegalHoldStatus, ObjectLockRetainUntilDate } =
        await this.#client.send(command)
      if (ObjectLockLegalHoldStatus === 'ON') return Number.POSITIVE_INFINITY
      return ObjectLockRetainUntilDate?.getTime() ?? null
    } catch (error) {
      throw this.#error(error, `looking at ${key}`, LOOK_RIGHTS)
    }
  }

  async remove(object: StoredObject): Promise<void> {
    const { key, versionId } = object
    const command = new DeleteObjectCommand({
      Bucket: this.#options.bucket,
      Key: key,
      ...(versionId === null ? {} : { VersionId: versionId }),
    })
    try {
      await this.#client.send(command)
    } catch (error) {
      // Servers differ in what they say of a version that is gone; asking settles it.
      if (statusOf(error) !== undefined && !(await this.#isThere(object))) return
      throw this.#error(error, `removing ${key}`, REMOVE_RIGHTS)
    }
  }

  async abort({ key, uploadId }: OpenUpload): Promise<void> {
    const place = { Bucket: this.#options.bucket, Key: key, UploadId: uploadId }
    try {
      await abortUpload(this.#client, place)
    } catch (error) {
      throw this.#error(error, `aborting the upload of ${key}`, REMOVE_RIGHTS)
    }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  async *#versions(prefix: string): AsyncGenerator<StoredObject> {
    let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}
    let isTruncated: boolean
    do {
      const command = new ListObjectVersionsCommand({
        ...{ Bucket: this.#options.bucket, Prefix: prefix, MaxKeys: this.#pageItems },
        ...marker,
      })
      const page = await this.#list(prefix, () => this.#client.send(command))
      const { KeyMarker, VersionIdMarker } = marker
      // versitygw begins a page with the last one of the page before.
      const isNew = (one: { Key?: string | undefined; VersionId?: string | undefined }) =>
        one.Key !== KeyMarker || one.VersionId !== VersionIdMarker
      for (const one of (page.Versions ?? []).filter(isNew)) yield storedObject(one, false)
      for (const one of (page.DeleteMarkers ?? []).filter(isNew)) yield storedObject(one, true)
      isTruncated = page.IsTruncated ?? false
      marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
    } while (isTruncated)
  }

  async *#withoutVersions(prefix: string): AsyncGenerator<StoredObject> {
    let token: string | undefined
    do {
      const command = new ListObjectsV2Command({
        ...{ Bucket: this.#options.bucket, Prefix: prefix, MaxKeys: this.#pageItems },
        ContinuationToken: token,
      })
      const page = await this.#list(prefix, () => this.#client.send(command))
      for (const object of page.Contents ?? []) yield storedObject(object, false)
      token = page.NextContinuationToken
    } while (token !== undefined)
  }

  async #isThere({ key, versionId }: StoredObject): Promise<boolean> {
    const versions = await versionsOf(this, key)
    return versions.some((found) => found.versionId === versionId)
  }

  async #list<T>(prefix: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw this.#error(error, `listing ${prefix}`, LIST_RIGHTS)
    }
  }

  #error(error: unknown, doing: string, rights: string): SealError {
    return s3Error(error, doing, placeOfBucket(this.#options), rights)
  }
}

/** An age that is not told compares as neither old nor young, so that nobody takes it for old. */
function storedObject(
  listed: {
    Key?: string | undefined
    VersionId?: string | undefined
    Size?: number | undefined
    LastModified?: Date | undefined
    IsLatest?: boolean | undefined
  },
  isDeleteMarker: boolean,
): StoredObject {
  return {
    key: listed.Key ?? '',
    versionId: listed.VersionId ?? null,
    isDeleteMarker,
    // A store without versions lists nothing else.
    isCurrent: listed.IsLatest ?? true,
    bytes: listed.Size ?? 0,
    modifiedAtMs: listed.LastModified?.getTime() ?? Number.NaN,
  }
}
