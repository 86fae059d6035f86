/** S3 user metadata: lower-case names, ASCII values, under 2 KB in all. */
export type ObjectMetadata = Readonly<Record<string, string>>

/** What the store answers for one part; goes back to it on completion. */
export interface PartReceipt {
  readonly partNumber: number
  readonly etag: string
  /** CRC32 of the part in base64, as sent and as checked by the store. */
  readonly checksum: string
}

/** What an object is to be in the end. */
export interface ExpectedObject {
  readonly bytes: number
  readonly metadata: ObjectMetadata
}

/**
 * The object store as segments need it. Bodies stay the caller's and are not changed; they must
 * not be changed by the caller either until the promise settles.
 *
 * `replaces` is the ETag of the object that is to be replaced: the writing takes place only while
 * that very object is there, and throws SEAL_OBJECT_CHANGED otherwise. Without it nothing is ever
 * overwritten. Either way a second call with the same metadata token is a no-op.
 * Errors: SEAL_STORE_UNAVAILABLE (retryable) and SEAL_STORE_REFUSED (not).
 */
export interface ObjectStore {
  /** Writes an object at once. */
  put(key: string, body: Uint8Array, metadata: ObjectMetadata, replaces?: string): Promise<void>
  /** Opens a multipart upload and returns its id. */
  createUpload(key: string, metadata: ObjectMetadata): Promise<string>
  /** Sends part `partNumber` (from 1). Sending a part again replaces it. */
  uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: Uint8Array,
  ): Promise<PartReceipt>
  /** Joins the parts into the object; settles the question itself when the answer got lost. */
  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly PartReceipt[],
    expected: ExpectedObject,
    replaces?: string,
  ): Promise<void>
  /** Drops the upload and its parts. An upload that is gone already is fine. */
  abortUpload(key: string, uploadId: string): Promise<void>
}
