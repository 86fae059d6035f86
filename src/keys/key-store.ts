/** What is durable of a DEK. Never its plaintext. */
export interface DekRecord {
  /** UUID in its text form. */
  readonly dekId: string
  readonly keyDomain: string
  readonly kekId: string
  readonly kekVersion: string | null
  readonly wrapped: Uint8Array
  readonly createdAtMs: number
}

/** Where wrapped DEKs are kept before their first use. Errors: SEAL_MAPPING_*, SEAL_STORE_*. */
export interface KeyStore {
  /** Durable everywhere when it resolves. Writing the same record again changes nothing. */
  recordDek(dek: DekRecord): Promise<void>
}
