/**
 * The first tables. The schema only ever grows: a later step adds a file, no step is edited.
 *
 * Compaction is UCS with T4 (tiered, fanout 4) at first: every row is written once and read
 * rarely, so what counts is to rewrite it seldom. Step 11 goes on with that.
 */
const UCS = `compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}`

/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function initialSchema(table: (name: string) => string): readonly string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${table('deks')} (
       dek_id uuid PRIMARY KEY, key_domain text, kek_id text, kek_version text,
       wrapped blob, created_at timestamp
     ) WITH ${UCS} AND comment = 'Wrapped data keys, before their first use'`,

    // A partition per day: with one DEK a message, a KEK alone would grow without end. Ten DEKs a
    // second are 864,000 rows of some 100 bytes, 86 MB a day at most before compression.
    `CREATE TABLE IF NOT EXISTS ${table('deks_by_kek')} (
       kek_id text, day date, created_at timestamp, dek_id uuid, key_domain text, kek_version text,
       PRIMARY KEY ((kek_id, day), created_at, dek_id)
     ) WITH ${UCS} AND comment = 'Data keys by the KEK that ever wrapped them, oldest first'`,

    // Leads from any name of a KEK (in full, or the bare key id) to the partitions above.
    `CREATE TABLE IF NOT EXISTS ${table('kek_days')} (
       kek_name text, day date, kek_id text, PRIMARY KEY ((kek_name), day, kek_id)
     ) WITH ${UCS} AND comment = 'Days on which a KEK wrapped data keys, by full or bare KEK id'`,

    // A DEK lives for one window: an hour of one segment a second on 4 lanes is 14,400 rows of
    // some 200 bytes, 3 MB; the longest window (a day) stays below 70 MB. Each column is written
    // once, by one step of the road: nothing is read before a write, and clocks cannot disagree.
    `CREATE TABLE IF NOT EXISTS ${table('segments_by_dek')} (
       dek_id uuid, segment_id uuid, object_key text, created_at timestamp,
       message_count int, bytes bigint, sealed_at timestamp, published_at timestamp,
       PRIMARY KEY ((dek_id), segment_id)
     ) WITH ${UCS} AND comment = 'Intent and outcome of every segment that a data key sealed'`,

    // At most 2^20 messages a segment: some 50 MB a partition.
    `CREATE TABLE IF NOT EXISTS ${table('message_encryption_map')} (
       dek_id uuid, segment_id uuid, topic text, partition int, offset bigint,
       position bigint, length int,
       object_path text STATIC, encrypted_at timestamp STATIC, key_rotation_status text STATIC,
       PRIMARY KEY ((dek_id, segment_id), topic, partition, offset)
     ) WITH ${UCS} AND comment = 'Every message a data key sealed, and its place in the object'`,
  ]
}
