/** The committed references of the configured source topics: what tells whether a segment lives. */
export interface ReferenceLog {
  /** The source topics. */
  readonly topics: readonly string[]
  /**
   * Hands over the values of all references that were committed at `sinceMs` or later and until now;
   * older ones may be among them. Resolves to the time since which none is missing: -Infinity when
   * the log goes back to its beginning, Infinity when it is not certain of anything, as when an open
   * transaction hides its end. Throws what `onValues` throws, SEAL_STOPPED when `signal` aborts,
   * SEAL_TOPIC_MISSING and SEAL_KAFKA_*.
   */
  read(
    sinceMs: number,
    onValues: (values: readonly Uint8Array[]) => void,
    signal: AbortSignal,
  ): Promise<number>
}
