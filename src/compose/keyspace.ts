import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { noteCoverage } from '../adapters/cassandra/look-up-days.ts'
import { type MigrationOptions, migrate } from '../adapters/cassandra/schema.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { isSealError } from '../errors.ts'
import { segmentFolder } from '../segment/object-key.ts'
import { cassandraOptionsOf, s3OptionsOf } from './service-options.ts'

/**
 * Brings the keyspace to the schema of this release. Where that has made it, and the bucket holds no
 * segment yet, its look-ups cover all there is; where there are some, or nobody may tell, they do not
 * until a rebuild has ended. Errors as of {@link migrate}, SEAL_STORE_UNAVAILABLE.
 */
export async function prepareKeyspace(
  config: Config,
  plan: MigrationOptions = config.cassandra,
): Promise<void> {
  const options = cassandraOptionsOf(config)
  if (!(await migrate(options, plan)) || !(await isBucketEmpty(config))) return
  const session = await connectCassandra(options)
  try {
    await noteCoverage(session, systemClock.nowMs())
  } finally {
    await session.close()
  }
}

async function isBucketEmpty(config: Config): Promise<boolean> {
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  try {
    for await (const _ of inventory.objects(segmentFolder(config.s3))) return false
    return true
  } catch (error) {
    if (isSealError(error, 'SEAL_STORE_REFUSED')) return false
    throw error
  } finally {
    await inventory.close()
  }
}
