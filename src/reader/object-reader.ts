/** Bytes of an object and its metadata, both of the same version of it. */
export interface ObjectRange {
  /** Exactly as many bytes as were asked for. The caller's. */
  readonly bytes: Buffer
  readonly metadata: Readonly<Record<string, string>>
  /** Of that version, as the store names it. */
  readonly etag: string
}

/** The last bytes of an object, fewer than were asked for when the object is shorter. */
export interface ObjectEnd extends ObjectRange {
  /** Size of the whole object. */
  readonly objectBytes: number
}

/**
 * The object store as readers need it. Without a `versionId`, as the inventory names it, the current
 * version of the object is read.
 */
export interface ObjectReader {
  /**
   * Reads `length` bytes from `position`. Throws SEAL_OBJECT_MISSING, SEAL_MALFORMED when the
   * object is shorter, SEAL_STORE_REFUSED, SEAL_STORE_UNAVAILABLE (retryable), and the reason of
   * `signal` when that ends the request.
   */
  readRange(
    key: string,
    position: number,
    length: number,
    versionId?: string | null,
    signal?: AbortSignal,
  ): Promise<ObjectRange>
  /**
   * Reads the last `bytesMax` bytes, or all of a shorter object. Throws SEAL_OBJECT_MISSING,
   * SEAL_MALFORMED when the object is empty, SEAL_STORE_REFUSED, and SEAL_STORE_UNAVAILABLE
   * (retryable).
   */
  readEnd(key: string, bytesMax: number, versionId?: string | null): Promise<ObjectEnd>
  close(): Promise<void>
}
