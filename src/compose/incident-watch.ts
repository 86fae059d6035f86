import { type CassandraConnection, connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraIncidentLog } from '../adapters/cassandra/incident-log.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import {
  type IncidentObserver,
  type IncidentStanding,
  IncidentWatch,
} from '../response/incident-standing.ts'
import { cassandraOptionsOf } from './service-options.ts'

const DAY_MS = 86_400_000

/** How incidents and drills stand now. Throws SEAL_MAPPING_*. */
export async function incidentStandingOf(config: Config): Promise<IncidentStanding> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    return await watchOf(config, session).look()
  } finally {
    await session.close()
  }
}

/** Tells an encryptor's observer how they stand, now and then, until it is closed. */
export function watchIncidents(
  config: Config,
  session: CassandraConnection,
  observer: IncidentObserver,
  closers: (() => Promise<void>)[],
): void {
  const watch = watchOf(config, session)
  const running = watch.run(observer)
  closers.push(async () => {
    watch.stop()
    await running
  })
}

function watchOf({ drill }: Config, session: CassandraConnection): IncidentWatch {
  const everyMs = drill === undefined ? null : drill.everyDays * DAY_MS
  return new IncidentWatch(new CassandraIncidentLog(session), systemClock, everyMs)
}
