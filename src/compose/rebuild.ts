import { type CassandraConnection, connectCassandra } from '../adapters/cassandra/connection.ts'
import { readDekRecord } from '../adapters/cassandra/dek-records.ts'
import { CassandraDekStore } from '../adapters/cassandra/dek-store.ts'
import { hasGap, noteCoverage } from '../adapters/cassandra/look-up-days.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import { CassandraMappingWriter } from '../adapters/cassandra/mapping-writer.ts'
import { CassandraRotationLog } from '../adapters/cassandra/rotation-log.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { CassandraWrapRegister } from '../adapters/cassandra/wrap-register.ts'
import { KafkaReferenceLog } from '../adapters/kafka/kafka-reference-log.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { ScannedStore } from '../incident/store-scan.ts'
import type { ProofPorts } from '../rebuild/impact-proof.ts'
import type { RebuildPorts } from '../rebuild/rebuild.ts'
import { prepareKeyspace } from './keyspace.ts'
import { cassandraOptionsOf, recordLogOptionsOf, s3OptionsOf } from './service-options.ts'

/** What a rebuild may do, and whom it may ask. */
export interface RebuildRequest {
  /** Without, nothing is changed, no tables made either. */
  readonly isWritten: boolean
  /** Without, nobody is asked what was published. */
  readonly isKafkaAsked: boolean
}

/**
 * Runs `work` with what a rebuild needs, and ends the connections whatever comes of it. Tables that are
 * missing are made first, where the configuration allows that and something is to be written.
 */
export async function withRebuildPorts<T>(
  config: Config,
  { isWritten, isKafkaAsked }: RebuildRequest,
  work: (ports: RebuildPorts) => Promise<T>,
): Promise<T> {
  const cassandra = cassandraOptionsOf(config)
  const { createSchema, replicationFactor } = config.cassandra
  await prepareKeyspace(config, { replicationFactor, createSchema: createSchema && isWritten })
  const session = await connectCassandra(cassandra)
  const { topics, referenceTopicSuffix } = config.kafka
  const log = { ...recordLogOptionsOf(config), topics, referenceTopicSuffix }
  try {
    return await withStore(config, (store) =>
      work({
        store,
        mapping: new CassandraLookUps(session),
        coverage: isWritten ? coverageOf(session) : null,
        register: new CassandraSegmentRegister(session),
        deks: { onRecord: (dekId) => readDekRecord(session, dekId) },
        keys: isWritten ? keyWriter(session) : null,
        writer: isWritten
          ? new CassandraMappingWriter(session, systemClock, config.mapping.mode)
          : null,
        references: isKafkaAsked ? new KafkaReferenceLog(log, systemClock) : null,
        clock: systemClock,
      }),
    )
  } finally {
    await session.close()
  }
}

function coverageOf(session: CassandraConnection): RebuildPorts['coverage'] {
  const rotation = new CassandraRotationLog(session)
  return {
    begin: () => rotation.reopen(),
    // What is older than the look-ups, in a keyspace of before them, is for backfill-index.
    async end() {
      if (await hasGap(session)) await noteCoverage(session, systemClock.nowMs())
    },
  }
}

function keyWriter(session: CassandraConnection): RebuildPorts['keys'] {
  const [store, register] = [new CassandraDekStore(session), new CassandraWrapRegister(session)]
  return {
    recordDek: (dek) => store.recordDek(dek),
    noteWrap: (dek) => register.noteWrap(dek),
  }
}

/** The same for the proof of an impact. */
export async function withProofPorts<T>(
  config: Config,
  work: (ports: ProofPorts) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    const mapping = new CassandraMappingReader(session)
    return await withStore(config, (store) => work({ store, mapping, clock: systemClock }))
  } finally {
    await session.close()
  }
}

async function withStore<T>(config: Config, work: (store: ScannedStore) => Promise<T>): Promise<T> {
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  const objects = new S3ObjectReader(s3OptionsOf(config))
  try {
    return await work({ inventory, objects })
  } finally {
    await Promise.all([inventory.close(), objects.close()])
  }
}
