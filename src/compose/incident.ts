import { type CassandraConnection, connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraIncidentLease, CassandraIncidentLog } from '../adapters/cassandra/incident-log.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { migrate } from '../adapters/cassandra/schema.ts'
import { webhook } from '../adapters/http/webhook.ts'
import { type Clock, systemClock } from '../clock.ts'
import { approverOf, webhookOf } from '../config/incident-section.ts'
import type { Config } from '../config/schema.ts'
import type { ImpactReader } from '../incident/impact-scope.ts'
import { type Approvers, publicKeyOf } from '../response/approval.ts'
import type { IncidentLease, IncidentLog } from '../response/incident-log.ts'
import type { NoticeHook } from '../response/notices.ts'
import { cassandraOptionsOf } from './service-options.ts'

/** What it takes to put incidents on record, to look at them and to go on with them. */
export interface IncidentServices {
  readonly log: IncidentLog
  readonly lease: IncidentLease
  readonly mapping: ImpactReader
  readonly clock: Clock
  readonly hooks: readonly NoticeHook[]
  readonly approvers: Approvers
}

/**
 * Runs `work` with the incidents of a keyspace, and ends the connection whatever comes of it. Tables
 * that are missing are made first, where the configuration allows that.
 */
export async function withIncidents<T>(
  config: Config,
  work: (services: IncidentServices) => Promise<T>,
): Promise<T> {
  const cassandra = cassandraOptionsOf(config)
  await migrate(cassandra, config.cassandra)
  const session = await connectCassandra(cassandra)
  try {
    return await work({ ...logOf(session), ...peopleOf(config) })
  } finally {
    await session.close()
  }
}

/** The same for whoever only looks: changes nothing, makes no tables. */
export async function withIncidentLog<T>(
  config: Config,
  work: (log: IncidentLog) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    return await work(new CassandraIncidentLog(session))
  } finally {
    await session.close()
  }
}

function logOf(session: CassandraConnection) {
  return {
    log: new CassandraIncidentLog(session),
    lease: new CassandraIncidentLease(session),
    mapping: new CassandraLookUps(session),
    clock: systemClock,
  }
}

/** Who is told, and who may approve. Throws SEAL_CONFIG_INVALID for a key that is none. */
function peopleOf({ incident }: Config): Pick<IncidentServices, 'hooks' | 'approvers'> {
  const { webhooks, webhookSecret: secret = '', approvers } = incident
  const known = new Map(approvers.map(approverOf))
  for (const key of known.values()) publicKeyOf(key)
  const hooks = webhooks.map((entry) => webhook({ ...webhookOf(entry), secret }, systemClock))
  return { hooks, approvers: known }
}
