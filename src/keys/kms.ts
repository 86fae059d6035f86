/**
 * What binds a wrapped DEK to its purpose: the KMS authenticates it and writes it to its audit log
 * in the clear, so it holds ids only.
 */
export type KmsContext = Readonly<Record<string, string>>

/** A DEK under a KEK, as it may be stored anywhere. */
export interface WrappedKey {
  readonly wrapped: Uint8Array
  /** The KEK as the KMS names it in full (an ARN with AWS), never an alias. */
  readonly kekId: string
  /** The version of the KEK that wrapped, where the KMS tells; null where it does not. */
  readonly kekVersion: string | null
}

/** A fresh data key. The caller owns `plaintext` (32 bytes) and wipes it. */
export interface GeneratedDataKey extends WrappedKey {
  readonly plaintext: Uint8Array
}

/**
 * The key management service that holds the KEKs. A KEK is named in full or by its bare id; answers
 * name it in full. One call is one try: retries, time limits and the circuit breaker are wrapped
 * around (resilient-kms.ts). Errors, alike for all providers:
 *
 * - SEAL_KMS_UNAVAILABLE, retryable: no answer, throttled, sealed, an answer that is none
 * - SEAL_KMS_DENIED: credentials or rights
 * - SEAL_KEK_DISABLED, SEAL_KEK_DESTROYED: the KEK is switched off; it is not there (any more)
 * - SEAL_KEY_TAMPERED: `wrapped` was altered, or is of another context or KEK
 * - SEAL_KMS_REFUSED: everything else that no waiting mends
 */
export interface Kms {
  /** Makes a 256-bit data key and wraps it under the newest version of `kekId` with `context`. */
  generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey>
  /**
   * Unwraps; fails unless `context` equals that of the wrap. `wrapped` stays the caller's; so do
   * the 32 bytes of the answer, who wipes them.
   */
  unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array>
  /**
   * Wraps the same DEK anew, under the newest version of `toKekId`, with the same context. Where the
   * KMS can do it, the DEK does not leave it; elsewhere it is unwrapped here and wiped at once.
   */
  rewrap(
    kekId: string,
    wrapped: Uint8Array,
    toKekId: string,
    context: KmsContext,
  ): Promise<WrappedKey>
  close(): Promise<void>
}

/** What a reader may ask of it. */
export type Unwrapper = Pick<Kms, 'unwrap' | 'close'>
