import { step } from '../failpoints.ts'
import type { WritableKeyDirectory } from '../keys/key-directory.ts'
import type { KeyStore } from '../keys/key-store.ts'

/** A wrapped DEK is recorded in Cassandra and in the key directory; both before its first use. */
export function everyKeyStore(directory: WritableKeyDirectory, table: KeyStore): KeyStore {
  return {
    async recordDek(dek) {
      await Promise.all([
        step('dek-record', () => table.recordDek(dek)),
        step('dek-directory', () => directory.record(dek)),
      ])
    },
  }
}
