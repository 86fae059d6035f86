/**
 * Look-ups by topic, offset, time, key domain and message id.
 *
 * The arithmetic is for 50,000 messages of 1 KiB a second, 4.3 billion a day, in segments of 20,000
 * (2.5 a second) with messages of 25 partitions each (100 partitions on 4 lanes).
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

    // One row a segment and source partition: 63 rows of 80 bytes a second, 430 MB a day; a slot is
    // ten minutes, 38,000 rows, 3 MB. One DEK a message at 400 a second makes it 240,000 rows, 19 MB,
    // and there the KMS ends first. The ids come before a byte of the source leaves, the totals once
    // the object is there. The DEK is part of the key, since one that is sealed anew has another.
    `CREATE TABLE IF NOT EXISTS ${table('segments_by_topic')} (
       topic text, slot timestamp, partition int, segment_id uuid, dek_id uuid,
       first_offset bigint, last_offset bigint, message_count int, bytes bigint,
       PRIMARY KEY ((topic, slot), partition, segment_id, dek_id)
     ) WITH ${UCS} AND comment = 'Segments with messages of a source partition, by when they were begun'`,

    // One row for each 4,096 offsets that a segment has messages of: 75 rows a second, 6.5 million a
    // day, a 660th of the mapping rows. A partition is 2^20 offsets: some 2,000 rows. One DEK a
    // message makes it a million rows of 60 bytes, 63 MB, and 4,096 candidates for a message.
    `CREATE TABLE IF NOT EXISTS ${table('segments_by_offset')} (
       topic text, partition int, bucket bigint, block bigint, segment_id uuid, dek_id uuid,
       PRIMARY KEY ((topic, partition, bucket), block, segment_id, dek_id)
     ) WITH ${UCS} AND comment = 'Segments that may hold the messages of a block of 4,096 offsets'`,

    // Only where mapping.messageIdHeader is set: one row of 75 bytes a message. 256 shards an hour
    // are 700,000 rows a partition, 53 MB; a part of 8,000 messages writes 31 rows to each.
    `CREATE TABLE IF NOT EXISTS ${table('messages_by_id')} (
       shard int, hour timestamp, id_hash blob, topic text, partition int, offset bigint,
       segment_id uuid, dek_id uuid,
       PRIMARY KEY ((shard, hour), id_hash, topic, partition, offset, segment_id, dek_id)
     ) WITH ${UCS} AND comment = 'Messages by the hash of the id that their producer gave them'`,

    // Leads to the days that the tables above have rows of. By kind: domain (name: the key domain),
    // topic (name: the topic; part: a partition), message-id (part: the hour). A topic of 100
    // partitions has 365,000 rows of 20 bytes in ten years, 7 MB. And of kind coverage, one row once
    // the look-ups cover all that was ever sealed here.
    `CREATE TABLE IF NOT EXISTS ${table('look_up_days')} (
       kind text, name text, day date, part int, PRIMARY KEY ((kind, name), day, part)
     ) WITH ${UCS} AND comment = 'Days of which the tables of look-ups have rows'`,

    // DEKs under which a segment was to be re-encrypted: a handful. The tables above name a segment
    // under the DEK that sealed it first, and this leads on from there.
    `ALTER TABLE ${table('segments_by_dek')} ADD IF NOT EXISTS successors set<uuid>`,
  ]
}
