import { isSealError } from '../../errors.ts'
import type { CassandraConnection } from './connection.ts'

/** With fewer copies, one node that dies may be enough for a write to be nowhere any more. */
const COPIES_MIN = 3

/** What decides whether an acknowledged write outlives the death of a node; null: not to be told. */
export interface Durability {
  /** As in cassandra.yaml: `periodic`, `batch` or `group`. */
  readonly commitlogSync: string | null
  /** Copies in the local datacenter. */
  readonly copies: number | null
}

/**
 * Asks one node. Settings can be read since Cassandra 4.0; whatever does not show them leaves null.
 * Errors: SEAL_MAPPING_UNAVAILABLE.
 */
export async function durabilityOf(
  session: Pick<CassandraConnection, 'execute'>,
  { keyspace, localDatacenter }: { readonly keyspace: string; readonly localDatacenter: string },
): Promise<Durability> {
  const ask = async (query: string, name: string) => {
    try {
      return (await session.execute(query, [name])).rows[0]
    } catch (error) {
      if (isSealError(error, 'SEAL_MAPPING_UNAVAILABLE')) throw error
      return undefined
    }
  }
  const setting = 'SELECT value FROM system_views.settings WHERE name = ?'
  const place = 'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?'
  const sync = await ask(setting, 'commitlog_sync')
  const replication = (await ask(place, keyspace))?.replication as
    | Record<string, string>
    | undefined
  const copies = Number(replication?.[localDatacenter] ?? replication?.replication_factor)
  const commitlogSync = (sync?.value as string | null | undefined) ?? null
  return { commitlogSync, copies: Number.isInteger(copies) ? copies : null }
}

/**
 * null, or in words why rows may get lost that Cassandra has acknowledged. With a commit log that is
 * synced periodically a node that is killed forgets its last 100 ms, and one that loses power its last
 * 10 s: replay stops at the last sync marker (CASSANDRA-13987). Others must have them, or batch must wait.
 */
export function durabilityRisk({ commitlogSync, copies }: Durability): string | null {
  if (commitlogSync !== 'periodic' || copies === null || copies >= COPIES_MIN) return null
  const kept = copies === 1 ? 'one copy' : `${copies} copies`
  return `Cassandra keeps ${kept} and syncs its commit log periodically: a node that dies can lose mapping rows that it has acknowledged, and look-ups by key then miss messages; keep ${COPIES_MIN} copies, or set commitlog_sync: batch`
}
