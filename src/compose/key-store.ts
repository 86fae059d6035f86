import type { S3ObjectStore } from '../adapters/s3/s3-object-store.ts'
import type { Config } from '../config/schema.ts'
import { step } from '../failpoints.ts'
import { encodeDirectoryEntry } from '../keys/key-directory.ts'
import type { KeyStore } from '../keys/key-store.ts'
import { dekObjectKey } from '../segment/object-key.ts'

/** A wrapped DEK is recorded in Cassandra and in the key directory; both before its first use. */
export function everyKeyStore({ s3 }: Config, store: S3ObjectStore, table: KeyStore): KeyStore {
  return {
    async recordDek(dek) {
      const entry = encodeDirectoryEntry(dek)
      await Promise.all([
        step('dek-record', () => table.recordDek(dek)),
        step('dek-directory', () =>
          store.overwrite(dekObjectKey(s3, dek.dekId), entry, 'application/json'),
        ),
      ])
    },
  }
}
