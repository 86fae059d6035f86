import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraKeyDesk } from '../adapters/cassandra/key-desk.ts'
import { CassandraKeyEventLog } from '../adapters/cassandra/key-event-log.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { KeyArchive } from '../incident/key-history.ts'
import type { KeyOffice } from '../keys/key-desk.ts'
import { cassandraOptionsOf } from './service-options.ts'

/** What it takes to look at keys and to have them retired. */
export interface KeyServices extends KeyArchive {
  readonly office: KeyOffice
  readonly clock: Clock
}

/** Runs `work` with the keys of a keyspace, and ends the connection whatever comes of it. */
export async function withKeys<T>(
  config: Config,
  work: (services: KeyServices) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    return await work({
      office: new CassandraKeyDesk(session),
      events: new CassandraKeyEventLog(session),
      mapping: new CassandraMappingReader(session),
      clock: systemClock,
    })
  } finally {
    await session.close()
  }
}
