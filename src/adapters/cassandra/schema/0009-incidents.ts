/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function incidentsSchema(table: (name: string) => string): readonly string[] {
  const UCS = `compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}`
  return [
    // As many as there ever are: one partition, the newest first. A name without events is none.
    `CREATE TABLE IF NOT EXISTS ${table('incidents')} (
       shard int, declared_at timestamp, incident_id text,
       PRIMARY KEY ((shard), declared_at, incident_id)
     ) WITH CLUSTERING ORDER BY (declared_at DESC, incident_id ASC) AND ${UCS}
       AND comment = 'Names of incidents and drills; rows are only added'`,

    // Each row is added by a lightweight transaction at the next free place.
    `CREATE TABLE IF NOT EXISTS ${table('incident_events')} (
       incident_id text, sequence int, event_id uuid, happened_at timestamp, actor text,
       run_id text, kind text, step text, details text,
       PRIMARY KEY ((incident_id), sequence)
     ) WITH ${UCS} AND comment = 'What happened in an incident, for good; rows are only added'`,

    // Rows run out by themselves, by the clock of Cassandra.
    `CREATE TABLE IF NOT EXISTS ${table('incident_leases')} (
       incident_id text PRIMARY KEY, holder text
     ) WITH ${UCS} AND comment = 'Who works on an incident now'`,

    `CREATE TABLE IF NOT EXISTS ${table('retired_keks')} (
       shard int, kek_id text, kek_version text, retired_at timestamp, actor text, reason text,
       PRIMARY KEY ((shard), kek_id, kek_version)
     ) WITH ${UCS}
       AND comment = 'KEKs that wrap no new data key any more; an empty version is all; rows are only added'`,
  ]
}
