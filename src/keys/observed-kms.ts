import type { Kms } from './kms.ts'

/** What a KMS can be asked for. */
export type KmsOperation = 'generate' | 'unwrap' | 'rewrap'

/** Hears of every call that the KMS was asked, failed ones included. */
export type KmsCallListener = (operation: KmsOperation, ok: boolean, elapsedMs: number) => void

/** The same KMS, with every call told to `onCall`. */
export function observedKms(kms: Kms, onCall: KmsCallListener): Kms {
  const observed = async <T>(operation: KmsOperation, call: () => Promise<T>) => {
    const startedAtMs = performance.now()
    try {
      const result = await call()
      onCall(operation, true, performance.now() - startedAtMs)
      return result
    } catch (error) {
      onCall(operation, false, performance.now() - startedAtMs)
      throw error
    }
  }
  return {
    generateDataKey: (kekId, context) =>
      observed('generate', () => kms.generateDataKey(kekId, context)),
    unwrap: (kekId, wrapped, context) =>
      observed('unwrap', () => kms.unwrap(kekId, wrapped, context)),
    rewrap: (...asked) => observed('rewrap', () => kms.rewrap(...asked)),
    close: () => kms.close(),
  }
}
