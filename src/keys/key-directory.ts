import type { DekRecord } from './key-store.ts'

/**
 * The entry of a DEK in the key directory, one small object in the bucket each: a third place for
 * the wrapped key, from which everything can be read without Cassandra (docs/format.md).
 */
export function encodeDirectoryEntry(dek: DekRecord): Buffer {
  const { dekId, keyDomain, kekId, kekVersion, createdAtMs } = dek
  const wrapped = Buffer.from(dek.wrapped).toString('base64url')
  return Buffer.from(
    `${JSON.stringify({ v: 1, dekId, keyDomain, kekId, kekVersion, wrapped, createdAtMs })}\n`,
  )
}
