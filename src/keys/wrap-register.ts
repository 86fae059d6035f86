import type { DekRecord } from './key-store.ts'

/**
 * The records of wrapped DEKs, for those who wrap them anew. Errors: SEAL_MAPPING_UNAVAILABLE
 * (retryable), SEAL_MAPPING_REFUSED.
 */
export interface WrapRegister {
  /** The record with the wrap of now; null when there is none. */
  find(dekId: string): Promise<DekRecord | null>
  /**
   * Notes for look-ups by KEK that this KEK and version wrap the DEK, beside all that ever did. Before
   * the wrap is stored anywhere: a look-up may find too much after a crash, never too little.
   */
  noteWrap(dek: DekRecord): Promise<void>
  /**
   * Makes the wrap of `dek` the one of now, if that is `expected` until then, and sees that it is.
   * Resolves to false when it is another by now. May be repeated.
   */
  replaceWrap(dek: DekRecord, expected: Uint8Array): Promise<boolean>
}
