import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraKekOrderLog } from '../adapters/cassandra/kek-order-log.ts'
import { CassandraKeyEventLog } from '../adapters/cassandra/key-event-log.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import { CassandraWrapRegister } from '../adapters/cassandra/wrap-register.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../adapters/s3/s3-object-store.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { budgetedKms } from '../keys/budgeted-kms.ts'
import { kekInForce } from '../keys/kek-orders.ts'
import { PacedBudget } from '../paced-budget.ts'
import type { RewrapServices } from '../rewrap/job.ts'
import type { RewrapScope } from '../rewrap/scope.ts'
import { segmentHeaders } from '../rewrap/segment-headers.ts'
import { configuredKeksOf } from './keks.ts'
import { writableKeyDirectoryOf } from './key-directory.ts'
import { openKms } from './kms.ts'
import { cassandraOptionsOf, kmsChoiceOf, s3OptionsOf } from './service-options.ts'

/** What a rewrap works with, and what tells the KEK in force. */
export interface RewrapPlace extends RewrapServices {
  /** The KEK under which new DEKs of the domain are made now. */
  readonly targetOf: RewrapScope['targetOf']
}

/** Runs `work` with what a rewrap needs, and ends the connections whatever comes of it. */
export async function withRewrap<T>(
  config: Config,
  kmsCallsPerSecond: number,
  work: (place: RewrapPlace) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  const objects = new S3ObjectReader(s3OptionsOf(config))
  const store = new S3ObjectStore(s3OptionsOf(config))
  // One try a call: the job tries again itself, within its budget.
  const kms = openKms(kmsChoiceOf(config), { triesMax: 1 })
  const budget = new PacedBudget(systemClock, { perSecond: kmsCallsPerSecond, burstMs: 0 })
  const mapping = new CassandraMappingReader(session)
  try {
    const orders = await new CassandraKekOrderLog(session).orders(0)
    const configured = configuredKeksOf(config)
    return await work({
      ...{ mapping, clock: systemClock },
      register: new CassandraWrapRegister(session),
      directory: writableKeyDirectoryOf(objects, store, config.s3),
      events: new CassandraKeyEventLog(session),
      kms: budgetedKms(kms, budget),
      headers: segmentHeaders(mapping, objects),
      targetOf: (keyDomain) => kekInForce(configured, orders, keyDomain).kekId,
    })
  } finally {
    await Promise.all([objects.close(), store.close(), kms.close()])
    await session.close()
  }
}
