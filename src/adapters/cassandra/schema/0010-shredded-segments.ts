/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function shreddedSegmentsSchema(table: (name: string) => string): readonly string[] {
  return [
    // Intents stay: they go on telling what a DEK protected until it was destroyed.
    `ALTER TABLE ${table('segments_by_dek')} ADD IF NOT EXISTS shredded_at timestamp`,
  ]
}
