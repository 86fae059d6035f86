import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraDekStore } from '../adapters/cassandra/dek-store.ts'
import { noteBackfill } from '../adapters/cassandra/look-up-days.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import { CassandraMappingWriter } from '../adapters/cassandra/mapping-writer.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { type BackfillProgress, type BackfillSummary, backfill } from '../incident/backfill.ts'
import { prepareKeyspace } from './keyspace.ts'
import { cassandraOptionsOf } from './service-options.ts'

/** Brings the look-ups of the keyspace up to all that was ever sealed in it. Errors: SEAL_MAPPING_*. */
export async function backfillKeyspace(
  config: Config,
  onProgress: BackfillProgress,
): Promise<BackfillSummary> {
  const options = cassandraOptionsOf(config)
  await prepareKeyspace(config)
  const session = await connectCassandra(options)
  try {
    const ports = {
      register: new CassandraSegmentRegister(session),
      mapping: new CassandraMappingReader(session),
      writer: new CassandraMappingWriter(session, systemClock, config.mapping.mode),
      deks: new CassandraDekStore(session),
      noteCoverage: (atMs: number) => noteBackfill(session, atMs),
      clock: systemClock,
    }
    return await backfill(ports, onProgress)
  } finally {
    await session.close()
  }
}
