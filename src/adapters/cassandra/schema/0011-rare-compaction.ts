/**
 * The tables with a row or a run a message are rewritten half as often: with a fanout of 16 instead
 * of 4, a row comes through half as many levels. A look-up reads one partition, which its segment wrote
 * within seconds and so lies in one or two sstables; of the others it asks the bloom filters alone.
 */
const UCS = `compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T16'}`

/** Statements of this step; table names are relative to the keyspace that `table` puts before them. */
export function rareCompactionSchema(table: (name: string) => string): readonly string[] {
  return [
    `ALTER TABLE ${table('message_encryption_map')} WITH ${UCS}`,
    `ALTER TABLE ${table('message_runs')} WITH ${UCS}`,
  ]
}
