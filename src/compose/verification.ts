import { type CassandraConnection, connectCassandra } from '../adapters/cassandra/connection.ts'
import { readDekRecord } from '../adapters/cassandra/dek-records.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { KafkaRecordLog } from '../adapters/kafka/kafka-record-log.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { sweepAgeMs } from '../config/sweep-age.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import type { VerifyObserver } from '../verify/check.ts'
import type { KeyRecords } from '../verify/ports.ts'
import { type Verification, verify } from '../verify/verify.ts'
import { keyDirectoryOf } from './key-directory.ts'
import { composeReader } from './references.ts'
import { cassandraOptionsOf, recordLogOptionsOf, s3OptionsOf } from './service-options.ts'

/** What is verified of the place that a configuration names. */
export interface VerificationRequest {
  /** Source topics; all of the configuration when there are none. */
  readonly topics: readonly string[]
  /** Whether frames are read and opened; without, neither S3 bodies nor the KMS are asked for. */
  readonly isOpened: boolean
  /** Findings of a kind that are kept. */
  readonly findingsMax: number
}

/** Verifies the place of a configuration, and ends every connection whatever comes of it. See {@link verify}. */
export async function verifyPlace(
  config: Config,
  request: VerificationRequest,
  observer: VerifyObserver,
  signal: AbortSignal,
): Promise<Verification> {
  const { referenceTopicSuffix, quarantineTopicSuffix } = config.kafka
  const log = new KafkaRecordLog(recordLogOptionsOf(config))
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  const objects = new S3ObjectReader(s3OptionsOf(config))
  const reader = request.isOpened ? composeReader(config) : null
  let session: CassandraConnection | null = null
  try {
    await log.connect()
    session = await connectCassandra(cassandraOptionsOf(config))
    const topics = request.topics.length > 0 ? [...new Set(request.topics)] : config.kafka.topics
    const services = {
      ...{ log, inventory, clock: systemClock },
      opener: reader && { open: reader.tryReferences.bind(reader) },
      register: new CassandraSegmentRegister(session),
      mapping: new CassandraMappingReader(session),
      keys: keyRecords(config, session, objects),
    }
    const settings = {
      ...{ topics, referenceTopicSuffix, quarantineTopicSuffix },
      isEveryTopic: config.kafka.topics.every((topic) => topics.includes(topic)),
      prefix: config.s3.prefix,
      findingsMax: request.findingsMax,
      youngMs: sweepAgeMs(config),
    }
    return await verify(services, settings, observer, signal)
  } finally {
    await Promise.all([reader?.close(), objects.close(), inventory.close()])
    await Promise.all([session?.close(), log.close()])
  }
}

function keyRecords(
  { s3 }: Config,
  session: CassandraConnection,
  objects: ObjectReader,
): KeyRecords {
  const directory = keyDirectoryOf(objects, s3)
  return {
    onRecord: (dekId) => readDekRecord(session, dekId),
    inDirectory: async (dekId) => (await directory.find(dekId))?.dek ?? null,
  }
}
