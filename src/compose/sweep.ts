import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import { CassandraMappingWriter } from '../adapters/cassandra/mapping-writer.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { KafkaReferenceLog } from '../adapters/kafka/kafka-reference-log.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { SweepPorts } from '../incident/sweep.ts'
import type { SweepScope } from '../incident/sweep-plan.ts'
import { dekOfObject } from '../reader/segment-holder.ts'
import { cassandraOptionsOf, recordLogOptionsOf, s3OptionsOf } from './service-options.ts'

/** Runs `work` with what a sweep needs, and ends the connections whatever comes of it. */
export async function withSweepPorts<T>(
  config: Config,
  work: (ports: SweepPorts) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  const objects = new S3ObjectReader(s3OptionsOf(config))
  const { topics, referenceTopicSuffix } = config.kafka
  const log = { ...recordLogOptionsOf(config), topics, referenceTopicSuffix }
  try {
    return await work({
      inventory,
      register: new CassandraSegmentRegister(session),
      mapping: new CassandraMappingReader(session),
      marks: new CassandraMappingWriter(session, systemClock, config.mapping.mode),
      references: new KafkaReferenceLog(log, systemClock),
      holders: { dekOf: (objectKey) => dekOfObject(objects, objectKey) },
      clock: systemClock,
    })
  } finally {
    await Promise.all([inventory.close(), objects.close()])
    await session.close()
  }
}

/** What a sweep of this configuration may touch, but for its age. */
export function sweepPlaceOf({
  s3,
  kafka,
  keyDomain,
}: Config): Pick<SweepScope, 'prefix' | 'domains'> {
  const domains = keyDomain.by === 'topic' ? new Set(kafka.topics) : null
  return { prefix: s3.prefix, domains }
}
