/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function replacedSegmentsSchema(table: (name: string) => string): readonly string[] {
  const columns = [
    // Of a segment that was re-encrypted: its rows are where they were, since they hold for it too.
    'rows_dek_id uuid',
    'replaces_dek_id uuid',
    'replacing_at timestamp',
    // Of the same segment under the DEK of before.
    'replaced_at timestamp',
    'replaced_by_dek_id uuid',
    'retained_until timestamp',
  ]
  return columns.map(
    (column) => `ALTER TABLE ${table('segments_by_dek')} ADD IF NOT EXISTS ${column}`,
  )
}
