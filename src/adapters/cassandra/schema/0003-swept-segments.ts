/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function sweptSegmentsSchema(table: (name: string) => string): readonly string[] {
  // An intent is never deleted: it still names what a writer brings late, after having been asleep.
  return [`ALTER TABLE ${table('segments_by_dek')} ADD IF NOT EXISTS swept_at timestamp`]
}
