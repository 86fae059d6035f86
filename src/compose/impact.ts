import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import type { Config } from '../config/schema.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import { cassandraOptionsOf } from './service-options.ts'

/** Runs `work` with look-ups over Cassandra, and ends the connection whatever comes of it. */
export async function withMappingReader<T>(
  config: Config,
  work: (reader: MappingReader) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    return await work(new CassandraMappingReader(session))
  } finally {
    await session.close()
  }
}
