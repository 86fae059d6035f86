/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function kekOrdersSchema(table: (name: string) => string): readonly string[] {
  return [
    // As many as operators ever give, for good: one partition, whose order is that of the giving.
    // Rows are only added, each by a lightweight transaction at the next free place.
    `CREATE TABLE IF NOT EXISTS ${table('kek_orders')} (
       shard int, sequence int, order_id uuid, placed_at timestamp, actor text, reason text,
       key_domain text, from_kek_id text, to_kek_id text, is_contained boolean,
       PRIMARY KEY ((shard), sequence)
     ) WITH compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}
       AND comment = 'Under which KEK new data keys are made, order by order; rows are only added'`,

    // Why an instance goes on as before.
    `ALTER TABLE ${table('key_answers')} ADD IF NOT EXISTS refusal text`,

    // Versions of the KEK that wrapped a data key anew; that of its making stays in kek_version.
    `ALTER TABLE ${table('deks_by_kek')} ADD IF NOT EXISTS later_versions set<text>`,
  ]
}
