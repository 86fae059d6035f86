import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import type { Config } from '../config/schema.ts'
import type { ImpactReader } from '../incident/impact-scope.ts'
import type { ObjectInventory } from '../segment/object-inventory.ts'
import { cassandraOptionsOf, s3OptionsOf } from './service-options.ts'

/** Runs `work` with look-ups over Cassandra, and ends the connection whatever comes of it. */
export async function withImpactReader<T>(
  config: Config,
  work: (reader: ImpactReader) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    return await work(new CassandraLookUps(session))
  } finally {
    await session.close()
  }
}

/** Runs `work` with the inventory of the bucket, and ends it whatever comes of it. */
export async function withInventory<T>(
  config: Config,
  work: (inventory: ObjectInventory) => Promise<T>,
): Promise<T> {
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  try {
    return await work(inventory)
  } finally {
    await inventory.close()
  }
}
