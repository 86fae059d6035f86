/**
 * Re-encryption by the age of the data keys. DEKs are found by day through deks_by_domain, which has
 * them since the look-ups are kept; what is added here says what became of each.
 */
const UCS = `compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}`

/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function rotationSchema(table: (name: string) => string): readonly string[] {
  return [
    // A row for each one of deks_by_domain, once it is old enough, and half as long: ten DEKs a second
    // of one domain are 40 MB a day at most; 192 a day are 10 KB.
    `CREATE TABLE IF NOT EXISTS ${table('dek_rotations')} (
       key_domain text, day date, dek_id uuid, ordered_at timestamp, done_at timestamp,
       segments bigint, messages bigint, bytes bigint,
       PRIMARY KEY ((key_domain, day), dek_id)
     ) WITH ${UCS} AND comment = 'Data keys whose data was given out for re-encryption, or is gone'`,

    // A row a key domain: up to which day nothing is left to be done, and what was done until then.
    `CREATE TABLE IF NOT EXISTS ${table('rotated_domains')} (
       key_domain text PRIMARY KEY, done_through date, segments bigint, messages bigint, bytes bigint
     ) WITH ${UCS} AND comment = 'The day up to which no data is under a data key of a key domain'`,

    // Two rows: the lease, which expires by itself, and the round that was counted last.
    `CREATE TABLE IF NOT EXISTS ${table('rotation_state')} (
       name text PRIMARY KEY, holder text, started_at timestamp, counted_at timestamp,
       older_than_ms bigint, is_open boolean, segments bigint, messages bigint, bytes bigint,
       oldest_at timestamp
     ) WITH ${UCS} AND comment = 'Who schedules re-encryptions, and how far the latest one is'`,
  ]
}
