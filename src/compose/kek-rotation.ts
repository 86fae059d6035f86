import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraKekOrderLog } from '../adapters/cassandra/kek-order-log.ts'
import { CassandraKeyDesk } from '../adapters/cassandra/key-desk.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { KekOrderServices } from '../keys/give-kek-order.ts'
import type { Kms } from '../keys/kms.ts'
import { configuredKeksOf, longestDomainOf } from './keks.ts'
import { openKms, READER_TRIES_MAX } from './kms.ts'
import { allowedKekIdsOf, cassandraOptionsOf, kmsChoiceOf } from './service-options.ts'

/** What it takes to look at KEKs in force and to have others. */
export interface KekServices extends KekOrderServices {
  readonly kms: Pick<Kms, 'generateDataKey' | 'unwrap'>
  readonly allowedKekIds: readonly string[]
}

/** Runs `work` with the KEKs of a configuration, and ends the connections whatever comes of it. */
export async function withKeks<T>(
  config: Config,
  work: (services: KekServices) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  const kms = openKms(kmsChoiceOf(config), { triesMax: READER_TRIES_MAX })
  try {
    return await work({
      office: new CassandraKeyDesk(session),
      orders: new CassandraKekOrderLog(session),
      ...{ kms, clock: systemClock },
      configured: configuredKeksOf(config),
      allowedKekIds: allowedKekIdsOf(config),
      longestDomain: longestDomainOf(config),
      areSharedKeksAllowed: config.keyDomain.allowSharedKeks,
    })
  } finally {
    await kms.close()
    await session.close()
  }
}
