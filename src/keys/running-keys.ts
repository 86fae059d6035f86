/** A DEK that seals in this process now. */
export interface KeyInUse {
  readonly dekId: string
  readonly keyDomain: string
  readonly kekId: string
  readonly kekVersion: string | null
  /** By the wall clock; the window began. */
  readonly since: number
  readonly messages: number
  readonly bytes: number
}

/** A DEK whose last segment was sealed, and whose bytes are wiped. */
export interface RetiredKey {
  readonly dekId: string
  readonly keyDomain: string
  /** By the wall clock; null when nothing was ever packed under it. */
  readonly firstUsedAtMs: number | null
  readonly lastUsedAtMs: number | null
  readonly messages: number
  readonly bytes: number
}

/** Which keys are meant: one DEK, all of a key domain, or (with both null) all there are. */
export interface KeyScope {
  readonly dekId: string | null
  readonly keyDomain: string | null
}

/** The keys of a running encryptor, for whoever manages them. */
export interface RunningKeys {
  /** The DEKs of the windows that are open now. */
  inUse(): readonly KeyInUse[]
  /** How many DEKs that sealed are in memory yet: those in use, and those whose segments are open. */
  held(): number
  /**
   * Ends the windows in scope at once, drops DEKs that were made ahead for them, and closes the open
   * segments under them. The next message of the domain gets a DEK made after this call. Resolves
   * when every segment under the ended DEKs is sealed or given up, and the DEKs are wiped.
   */
  rotate(scope: KeyScope, reason: string): Promise<readonly RetiredKey[]>
}

/** Hears what happens to the DEKs of this process. Calls are cheap and never throw. */
export interface KeyLifeListener {
  /** The first message was packed under the DEK. */
  firstUsed(dekId: string, keyDomain: string, atMs: number): void
  /** The last holder let go; `reason` says what ended its window. */
  retired(key: RetiredKey, reason: string): void
}
