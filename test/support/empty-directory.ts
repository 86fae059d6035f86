import type { KeyDirectory } from '../../src/keys/key-directory.ts'

/** A key directory without entries: readers have the wraps in the metadata alone. */
export const emptyDirectory: KeyDirectory = { find: async () => null }
