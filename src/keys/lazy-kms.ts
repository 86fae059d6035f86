import type { Kms } from './kms.ts'

/** A KMS that is made by `load` when it is first asked. A failed load is tried again with the next call. */
export function lazyKms(load: () => Promise<Kms>): Kms {
  let loading: Promise<Kms> | null = null
  const loaded = (): Promise<Kms> => {
    loading ??= load().catch((error: unknown) => {
      loading = null
      throw error
    })
    return loading
  }
  return {
    generateDataKey: async (...asked) => (await loaded()).generateDataKey(...asked),
    unwrap: async (...asked) => (await loaded()).unwrap(...asked),
    rewrap: async (...asked) => (await loaded()).rewrap(...asked),
    async close() {
      const kms = await loading?.catch(() => null)
      await kms?.close()
    },
  }
}
