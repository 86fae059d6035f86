import { SealError } from '../errors.ts'
import { WRAPPED_DEK_BYTES_MAX } from '../limits.ts'
import type { DekRecord } from './key-store.ts'

/** An entry of the key directory as it was found. */
export interface DirectoryEntry {
  readonly dek: DekRecord
  /** Differs from writing to writing of one entry. */
  readonly revision: string
}

/**
 * The key directory as readers need it: the wrap that a DEK has now, wherever its segments were
 * sealed. Nothing in it is authenticated. Errors: SEAL_MALFORMED (what is there is no entry),
 * SEAL_STORE_*.
 */
export interface KeyDirectory {
  /** null when there is no entry. */
  find(dekId: string): Promise<DirectoryEntry | null>
}

/** The key directory for those who write to it. */
export interface WritableKeyDirectory extends KeyDirectory {
  /** Writes the first entry of a DEK. One that is there stays, for it may be a later one. */
  record(dek: DekRecord): Promise<void>
  /**
   * Puts an entry in the place of the one with this revision, or of none (null). May be repeated.
   * Throws SEAL_OBJECT_CHANGED when somebody else was first.
   */
  replace(dek: DekRecord, revision: string | null): Promise<void>
}

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

/** An entry is a few hundred bytes; the wrapped key, its largest part, is bounded to 1 KiB. */
export const DIRECTORY_ENTRY_BYTES_MAX = 8 * 1024

/** Reads an entry of the key directory. Throws SEAL_MALFORMED for what {@link encodeDirectoryEntry} did not write. */
export function decodeDirectoryEntry(bytes: Uint8Array): DekRecord {
  const { v, dekId, keyDomain, kekId, kekVersion, wrapped, createdAtMs } = fieldsOf(bytes)
  const isEntry =
    v === 1 &&
    typeof dekId === 'string' &&
    typeof keyDomain === 'string' &&
    typeof kekId === 'string' &&
    (kekVersion === null || typeof kekVersion === 'string') &&
    typeof wrapped === 'string' &&
    typeof createdAtMs === 'number'
  if (!isEntry) throw noEntry()
  const bytesOfKey = Buffer.from(wrapped, 'base64url')
  if (bytesOfKey.length === 0 || bytesOfKey.length > WRAPPED_DEK_BYTES_MAX) throw noEntry()
  return { dekId, keyDomain, kekId, kekVersion, wrapped: bytesOfKey, createdAtMs }
}

function fieldsOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // It is no JSON: said below.
  }
  throw noEntry()
}

function noEntry(): SealError {
  return new SealError('SEAL_MALFORMED', 'it is no entry of the key directory')
}
