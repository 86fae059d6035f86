import type { CassandraConnection } from './connection.ts'

const SELECT_COVERAGE = "SELECT complete_at FROM look_ups WHERE name = 'coverage'"

/**
 * Whether the look-ups cover all that was sealed in the keyspace: it was made with their tables, or
 * what is older was added since. Errors: SEAL_MAPPING_UNAVAILABLE, SEAL_MAPPING_REFUSED.
 */
export async function lookUpsCoverAll(connection: CassandraConnection): Promise<boolean> {
  const row = (await connection.execute(SELECT_COVERAGE, [])).first()
  return row !== null && row.complete_at !== null
}

/** Notes that they do. `table` is the name of look_ups, with its keyspace where none is bound. */
export async function noteCoverage(
  connection: CassandraConnection,
  atMs: number,
  table = 'look_ups',
): Promise<void> {
  const query = `INSERT INTO ${table} (name, complete_at) VALUES ('coverage', ?)`
  await connection.execute(query, [new Date(atMs)])
}
