/** Key events, and the desk where operators and running encryptors meet. */
const UCS = `compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}`

/**
 * Rows of the desk are never deleted, they run out at the same moment on every replica; so a
 * tombstone need outlive only the hints of a node that was away (three hours at most).
 */
const SHORT_LIVED = `${UCS} AND gc_grace_seconds = 10800`

/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function keyEventsSchema(table: (name: string) => string): readonly string[] {
  return [
    // Some six rows of 200 bytes a DEK, for good. The id comes from the content, so that an event
    // that is written again falls on itself, and two that fall on one millisecond both stay.
    // kind_order keeps the events of one millisecond in the order of a life.
    `CREATE TABLE IF NOT EXISTS ${table('key_events')} (
       dek_id uuid, happened_at timestamp, kind_order int, event_id uuid,
       kind text, actor text, reason text, kek_id text, kek_version text,
       PRIMARY KEY ((dek_id), happened_at, kind_order, event_id)
     ) WITH ${UCS} AND comment = 'What ever happened to a data key; rows are only added'`,

    // One partition: a fleet of 100 writes 33 rows a second into it, and each replaces the last.
    // Only chunk 0 has the columns of the instance; the others carry what keys did not fit there.
    `CREATE TABLE IF NOT EXISTS ${table('key_instances')} (
       shard int, instance_id text, chunk int, chunks int, group_id text, state text,
       started_at timestamp, seen_at timestamp, in_use text,
       PRIMARY KEY ((shard), instance_id, chunk)
     ) WITH ${SHORT_LIVED} AND comment = 'Running encryptors and the data keys they use now; rows expire'`,

    // A day at most (no DEK of before lives longer), and as many as operators ask: one partition.
    `CREATE TABLE IF NOT EXISTS ${table('key_requests')} (
       shard int, request_id uuid, asked_at timestamp, actor text, reason text,
       dek_id uuid, key_domain text,
       PRIMARY KEY ((shard), request_id)
     ) WITH ${SHORT_LIVED} AND comment = 'Data keys that every encryptor is asked to retire; rows expire'`,

    `CREATE TABLE IF NOT EXISTS ${table('key_answers')} (
       request_id uuid, instance_id text, chunk int, chunks int,
       accepted_at timestamp, finished_at timestamp, retired text,
       PRIMARY KEY ((request_id), instance_id, chunk)
     ) WITH ${SHORT_LIVED} AND comment = 'What each encryptor did about a request; rows expire'`,
  ]
}
