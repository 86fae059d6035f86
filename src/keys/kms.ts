/**
 * What binds a wrapped DEK to its purpose: the KMS authenticates it and writes it to its audit log
 * in the clear, so it holds ids only.
 */
export type KmsContext = Readonly<Record<string, string>>

/** A fresh data key. The caller owns `plaintext` (32 bytes) and wipes it. */
export interface GeneratedDataKey {
  readonly plaintext: Uint8Array
  readonly wrapped: Uint8Array
  /** The KEK as the KMS names it in full (an ARN with AWS), never an alias. */
  readonly kekId: string
  /** The version of the KEK that wrapped, where the KMS tells; null where it does not. */
  readonly kekVersion: string | null
}

/** The key management service that holds the KEKs. Errors: SEAL_KMS_UNAVAILABLE, SEAL_KMS_REFUSED. */
export interface Kms {
  /** Makes a 256-bit data key and wraps it under `kekId` with `context`. */
  generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey>
  /** Unwraps; fails unless `context` equals that of the wrap. The caller owns and wipes the bytes. */
  unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array>
  close(): Promise<void>
}
