import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraKeyDesk } from '../adapters/cassandra/key-desk.ts'
import { CassandraKeyEventLog } from '../adapters/cassandra/key-event-log.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { migrate } from '../adapters/cassandra/schema.ts'
import { CassandraShredRegister } from '../adapters/cassandra/shred-register.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../adapters/s3/s3-object-store.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { selectEngine } from '../crypto/cipher-engine.ts'
import { withFailpoints } from '../failpoints.ts'
import type { ImpactReader } from '../incident/impact-scope.ts'
import type { ShredPorts } from '../incident/shred.ts'
import type { KeyOffice } from '../keys/key-desk.ts'
import type { MessageShredServices } from '../reencryption/shred-messages.ts'
import { type ReencryptionUse, withReencryption } from './reencryption.ts'
import { cassandraOptionsOf, s3OptionsOf } from './service-options.ts'
import { writableShredMarksOf } from './shred-marks.ts'

/** What a shredding works with, and whom it asks who holds a DEK. */
export interface ShredPlace extends ShredPorts {
  readonly mapping: ImpactReader
  readonly office: KeyOffice
  readonly clock: Clock
}

/**
 * Runs `work` with what a shredding needs, and ends the connections whatever comes of it. With
 * `isWritten`, tables that are missing are made first, where the configuration allows that.
 */
export async function withShred<T>(
  config: Config,
  isWritten: boolean,
  work: (place: ShredPlace) => Promise<T>,
): Promise<T> {
  const cassandra = cassandraOptionsOf(config)
  const { createSchema, replicationFactor } = config.cassandra
  await migrate(cassandra, { replicationFactor, createSchema: createSchema && isWritten })
  const session = await connectCassandra(cassandra)
  const [objects, store] = [
    new S3ObjectReader(s3OptionsOf(config)),
    new S3ObjectStore(s3OptionsOf(config)),
  ]
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  try {
    return await work({
      mapping: new CassandraLookUps(session),
      shreds: withFailpoints(new CassandraShredRegister(session), {
        destroyWrap: 'shred-wrap',
        markShredded: 'shred-record',
      }),
      marks: withFailpoints(writableShredMarksOf(objects, store, config.s3), { put: 'shred-mark' }),
      objects,
      inventory: withFailpoints(inventory, { remove: 'shred-version', abort: 'shred-upload' }),
      events: withFailpoints(new CassandraKeyEventLog(session), { append: 'shred-event' }),
      office: new CassandraKeyDesk(session),
      clock: systemClock,
    })
  } finally {
    await Promise.all([objects.close(), store.close(), inventory.close()])
    await session.close()
  }
}

/** The same for messages inside of segments that go on. */
export async function withMessageShred<T>(
  config: Config,
  use: Omit<ReencryptionUse, 'leaving'>,
  work: (services: MessageShredServices) => Promise<T>,
): Promise<T> {
  const { engine } = await selectEngine(config.cipher.engine)
  return withReencryption(config, { ...use, leaving: null }, ({ services }) =>
    work({ ...services, engine }),
  )
}
