import { randomBytes, randomUUID } from 'node:crypto'
import { connectCassandra } from '../src/adapters/cassandra/connection.ts'
import { CassandraDekStore } from '../src/adapters/cassandra/dek-store.ts'
import { CassandraMappingWriter } from '../src/adapters/cassandra/mapping-writer.ts'
import { migrate } from '../src/adapters/cassandra/schema.ts'
import { PartPool } from '../src/adapters/piscina/part-pool.ts'
import { S3ObjectStore } from '../src/adapters/s3/s3-object-store.ts'
import { systemClock } from '../src/clock.ts'
import { openKms } from '../src/compose/kms.ts'
import { cassandraOptionsOf, kmsChoiceOf, s3OptionsOf } from '../src/compose/service-options.ts'
import type { Config } from '../src/config/schema.ts'
import type { Message } from '../src/format/message.ts'
import { parcelBytes } from '../src/format/parcel.ts'
import { createDek } from '../src/keys/create-dek.ts'
import type { Dek } from '../src/keys/dek.ts'
import { DekWindow } from '../src/keys/dek-window.ts'
import type { PipelineObserver } from '../src/pipeline/observer.ts'
import { Patience } from '../src/pipeline/patience.ts'
import type { SegmentServices } from '../src/pipeline/segment-plan.ts'
import { SegmentWriter } from '../src/pipeline/segment-writer.ts'
import { BufferPool } from '../src/segment/buffer-pool.ts'
import { segmentObjectKey } from '../src/segment/object-key.ts'
import { frameBytesOf } from '../src/segment/part-buffer.ts'

/** What is to be sealed. */
export interface SealedLoad {
  readonly segments: number
  readonly segmentBytes: number
  readonly valueBytes: number
}

/** The key domain of what is sealed here. */
export const SEALED_DOMAIN = 'bench'
const NO_LIMITS = { ageMs: 86_400_000, messagesMax: 2 ** 40, bytesMax: 2 ** 50 }
const IDLE_BYTES = 64 * 1024 * 1024

const silent = new Proxy({}, { get: () => () => {} }) as PipelineObserver

/**
 * Seals published segments into the place of a configuration without Kafka, by the writer of the
 * road. Returns the DEK that they are all under.
 */
export async function sealSegments(config: Config, load: SealedLoad): Promise<string> {
  const [clock, s3, cassandra] = [systemClock, s3OptionsOf(config), cassandraOptionsOf(config)]
  await migrate(cassandra, config.cassandra)
  const session = await connectCassandra(cassandra)
  const store = new S3ObjectStore(s3)
  const kms = openKms(kmsChoiceOf(config), { triesMax: 1 })
  const mappingMode = config.mapping.mode
  const { referencePer } = config.kafka
  const workerData = { s3, cassandra, mappingMode, referencePer, cipherEngine: 'openssl' } as const
  const runner = new PartPool(config.workers, workerData)
  const mapping = new CassandraMappingWriter(session, clock, mappingMode)
  const maker = {
    ...{ kms, keyStore: new CassandraDekStore(session), events: { append: async () => {} } },
    ...{ actor: 'bench', kekOf: () => config.kms.keyId, clock },
  }
  const patience = new Patience(clock, silent, new AbortController().signal)
  const buffers = new BufferPool(IDLE_BYTES)
  const budget = { release: () => {} }
  const services = { store, mapping, runner, patience, observer: silent, clock, buffers, budget }
  try {
    const dek = await createDek(maker, SEALED_DOMAIN)
    const { prefix } = config.s3
    for (let i = 0; i < load.segments; i++) await sealOne(services, dek, prefix, load, i)
    dek.release()
    return dek.record.dekId
  } finally {
    await Promise.all([runner.close(), kms.close(), store.close(), session.close()])
  }
}

async function sealOne(
  services: SegmentServices,
  dek: Dek,
  prefix: string,
  { segmentBytes, valueBytes }: SealedLoad,
  number: number,
): Promise<void> {
  const { clock, mapping } = services
  const segmentId = randomUUID()
  const createdAtMs = clock.nowMs()
  const policy = { soft: NO_LIMITS, hard: NO_LIMITS }
  const around = { clock, hasSuccessor: () => false, onFirstUse: () => {} }
  const writer = new SegmentWriter(
    {
      ...{ segmentId, createdAtMs, clusterId: 'bench', token: randomUUID() },
      objectKey: segmentObjectKey({ prefix }, SEALED_DOMAIN, segmentId, createdAtMs),
      window: new DekWindow(dek, policy, around),
      limits: { bytesMax: 2 ** 40, messagesMax: 2 ** 20, partBytesMax: 8 * 1024 * 1024 },
    },
    services,
  )
  const source = writer.sources.of({ topic: SEALED_DOMAIN, partition: number })
  const value = randomBytes(valueBytes)
  const message: Omit<Message, 'offset'> = {
    ...{ topic: SEALED_DOMAIN, partition: number, key: null, value, headers: [] },
    ...{ timestampMs: BigInt(createdAtMs), timestampType: 'create' },
  }
  const frameBytes = frameBytesOf(parcelBytes({ ...message }))
  for (let offset = 0; offset * frameBytes < segmentBytes; offset++) {
    writer.add({ ...message, offset }, source, frameBytes, frameBytes)
  }
  const { key } = await writer.finish()
  await mapping.recordPublished(key, clock.nowMs())
}
