/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function messageRunsSchema(table: (name: string) => string): readonly string[] {
  return [
    // What message_encryption_map has, by the run. Beside rows of some 8 KiB, and 86 at most, the
    // worst are runs of one message each, where sources take turns: as many rows as there. The last
    // offset is in the key so that runs cut otherwise stand beside each other and overwrite nothing.
    `CREATE TABLE IF NOT EXISTS ${table('message_runs')} (
       dek_id uuid, segment_id uuid, topic text, partition int, base_offset bigint,
       last_offset bigint, message_count int, packed blob,
       object_path text STATIC, encrypted_at timestamp STATIC, key_rotation_status text STATIC,
       PRIMARY KEY ((dek_id, segment_id), topic, partition, base_offset, last_offset)
     ) WITH compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}
       AND comment = 'Every message a data key sealed, and its place in the object, by the run'`,
  ]
}
