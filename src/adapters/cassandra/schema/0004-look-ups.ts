/**
 * Look-ups by topic, offset, time, key domain and message id.
 *
 * The arithmetic is for 50,000 messages of 1 KiB a second, 4.3 billion a day, in segments of 64 MiB
 * (0.8 a second) with messages of 25 partitions each (100 partitions on 4 lanes).
 */
const UCS = `compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}`

/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function lookUpsSchema(table: (name: string) => string): readonly string[] {
  return [
    // As deks_by_kek: ten DEKs a second are 86 MB a day at most.
    `CREATE TABLE IF NOT EXISTS ${table('deks_by_domain')} (
       key_domain text, day date, created_at timestamp, dek_id uuid, kek_id text, kek_version text,
       PRIMARY KEY ((key_domain, day), created_at, dek_id)
     ) WITH ${UCS} AND comment = 'Data keys by key domain, oldest first'`,

    `CREATE TABLE IF NOT EXISTS ${table('domain_days')} (
       key_domain text, day date, PRIMARY KEY ((key_domain), day)
     ) WITH ${UCS} AND comment = 'Days on which data keys were made for a key domain'`,

    // One row a segment and source partition: 20 rows of 80 bytes a second, 140 MB a day; 720 rows
    // a partition of this table, which is an hour. One DEK a message at 400 a second, all of one
    // source partition, makes 1.4 million rows, 115 MB, and there the KMS ends first. The ids come
    // before a byte of the source leaves, the totals once the object is there. The DEK is part of
    // the key, since a segment that is sealed anew in its place has another.
    `CREATE TABLE IF NOT EXISTS ${table('segments_by_source')} (
       topic text, partition int, hour timestamp, segment_id uuid, dek_id uuid,
       first_offset bigint, last_offset bigint, message_count int, bytes bigint,
       PRIMARY KEY ((topic, partition, hour), segment_id, dek_id)
     ) WITH ${UCS} AND comment = 'Segments with messages of a source partition, by the hour of their begin'`,

    // 100 partitions of a topic for ten years are 365,000 rows of 20 bytes, 7 MB.
    `CREATE TABLE IF NOT EXISTS ${table('source_days')} (
       topic text, day date, partition int, PRIMARY KEY ((topic), day, partition)
     ) WITH ${UCS} AND comment = 'Days on which messages of a source partition were sealed'`,

    // One row for each 256 offsets that a segment has messages of: 195 rows a second for the
    // messages and 20 for begun blocks, 19 million a day, a 230th of the mapping rows. A partition
    // is 2^20 offsets: 4,096 rows and one for each end of a segment, and one DEK a message makes it
    // a million rows of 60 bytes, 63 MB.
    `CREATE TABLE IF NOT EXISTS ${table('segments_by_offset')} (
       topic text, partition int, bucket bigint, block bigint, segment_id uuid, dek_id uuid,
       PRIMARY KEY ((topic, partition, bucket), block, segment_id, dek_id)
     ) WITH ${UCS} AND comment = 'Segments that may hold the messages of a block of 256 offsets'`,

    // Only where mapping.messageIdHeader is set: one row of 75 bytes a message. 256 shards an hour
    // are 700,000 rows a partition, 53 MB; a part of 8,000 messages writes 31 rows to each.
    `CREATE TABLE IF NOT EXISTS ${table('messages_by_id')} (
       shard int, hour timestamp, id_hash blob, topic text, partition int, offset bigint,
       segment_id uuid, dek_id uuid,
       PRIMARY KEY ((shard, hour), id_hash, topic, partition, offset, segment_id, dek_id)
     ) WITH ${UCS} AND comment = 'Messages by the hash of the id that their producer gave them'`,

    `CREATE TABLE IF NOT EXISTS ${table('message_id_hours')} (
       day date, hour timestamp, PRIMARY KEY ((day), hour)
     ) WITH ${UCS} AND comment = 'Hours with rows in messages_by_id'`,

    // DEKs under which a segment was to be re-encrypted: a handful. The tables above name a segment
    // under the DEK that sealed it first, and this leads on from there.
    `ALTER TABLE ${table('segments_by_dek')} ADD IF NOT EXISTS successors set<uuid>`,

    // Without its row, this keyspace has segments that were sealed before these tables were there.
    `CREATE TABLE IF NOT EXISTS ${table('look_ups')} (
       name text PRIMARY KEY, complete_at timestamp
     ) WITH ${UCS} AND comment = 'Whether the look-ups cover all that was sealed in this keyspace'`,
  ]
}
