/** One version of one object, or the mark that it was deleted. */
export interface StoredObject {
  readonly key: string
  /** As the store names it; null where it cannot list versions. */
  readonly versionId: string | null
  readonly isDeleteMarker: boolean
  /** Whether it is what a reader gets who names no version. */
  readonly isCurrent: boolean
  readonly bytes: number
  /** By the clock of the store. */
  readonly modifiedAtMs: number
}

/** A multipart upload that was neither completed nor aborted. */
export interface OpenUpload {
  readonly key: string
  readonly uploadId: string
  /** By the clock of the store. */
  readonly startedAtMs: number
}

/**
 * What really is in the bucket, for those who compare it with what is on record. Iterators hold one
 * page, whatever they walk over. Errors: SEAL_STORE_UNAVAILABLE (retryable), SEAL_STORE_REFUSED.
 */
export interface ObjectInventory {
  /** Every version of every object whose key begins with `prefix`, older ones and marks included. */
  objects(prefix: string): AsyncIterable<StoredObject>
  /** Every open upload whose key begins with `prefix`. */
  uploads(prefix: string): AsyncIterable<OpenUpload>
  /**
   * Until when the store keeps this version, whoever asks (object lock, retention in compliance mode
   * or governance mode alike); null when nothing keeps it, Infinity under a legal hold.
   */
  retainedUntilMs(object: StoredObject): Promise<number | null>
  /**
   * Removes this one version for good. One that is gone already is fine. Where no version is named,
   * in a bucket that has some, a mark of deletion covers what is there.
   */
  remove(object: StoredObject): Promise<void>
  /** Drops the upload and its parts. One that is gone already is fine. */
  abort(upload: OpenUpload): Promise<void>
}

/** The versions of this one object: a prefix alone also finds keys that are longer. Errors as above. */
export async function versionsOf(
  inventory: Pick<ObjectInventory, 'objects'>,
  key: string,
): Promise<readonly StoredObject[]> {
  const versions: StoredObject[] = []
  for await (const object of inventory.objects(key)) {
    if (object.key === key) versions.push(object)
  }
  return versions
}
