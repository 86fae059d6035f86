import type { DekRecord } from '../../keys/key-store.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

const SELECT_DEK =
  'SELECT key_domain, kek_id, kek_version, wrapped, created_at FROM deks WHERE dek_id = ?'

/**
 * The record of a DEK in Cassandra, wrapped key included; null when there is none. Errors:
 * SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED.
 */
export async function readDekRecord(
  connection: CassandraConnection,
  dekId: string,
): Promise<DekRecord | null> {
  const row = (await connection.execute(SELECT_DEK, [uuidBytes(dekId)])).first()
  if (row === null) return null
  return {
    dekId,
    keyDomain: row.key_domain,
    kekId: row.kek_id,
    kekVersion: row.kek_version,
    wrapped: row.wrapped ?? Buffer.alloc(0),
    createdAtMs: (row.created_at as Date).getTime(),
  }
}
