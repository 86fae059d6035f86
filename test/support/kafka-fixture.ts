import { randomUUID } from 'node:crypto'
import type { Admin, Kafka, Producer, ProducerConfig } from 'kafkajs'
import { inject } from 'vitest'
import { loadKafkajs } from '../../src/adapters/kafka/load-kafkajs.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { parseReferences } from '../../src/format/reference-list.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import { appendBatch } from './raw-producer.ts'
import type { Compression, RawRecord } from './record-batch.ts'

/** A record of an output topic as a read_committed consumer sees it. */
export interface OutputRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer
}

/** A coordinator that is not there yet, or still reads its log. */
const NO_COORDINATOR = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
])

/** The place of a record and where its partition goes on. */
export type Ends = ReadonlyMap<number, number>

const MEBIBYTE = 1024 * 1024
const LEADER_TRIES_MAX = 50
const LEADER_POLL_MS = 100

/** The broker of the test run, from the side of producers and consumers. */
export class KafkaFixture {
  readonly admin: Admin
  readonly #kafka: Kafka
  readonly #broker: string
  readonly #producers: Producer[] = []

  private constructor(brokers: readonly string[]) {
    this.#broker = brokers[0] as string
    // The library can be exchanged in part once in a process.
    const { Kafka: Client, logLevel } = loadKafkajs()
    this.#kafka = new Client({
      clientId: 'test',
      brokers: [...brokers],
      logLevel: logLevel.NOTHING,
    })
    this.admin = this.#kafka.admin()
  }

  /** The broker is that of the test run unless another one is named. */
  static async connect(brokers = inject('stack').kafka.brokers): Promise<KafkaFixture> {
    const fixture = new KafkaFixture(brokers)
    await fixture.admin.connect()
    return fixture
  }

  async close(): Promise<void> {
    await Promise.all([...this.#producers, this.admin].map((client) => client.disconnect()))
  }

  async createTopic(
    topic: string,
    numPartitions: number,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    const topics = [{ topic, numPartitions, configEntries }]
    for (let triesLeft = LEADER_TRIES_MAX; ; triesLeft--) {
      try {
        await this.admin.createTopics({ waitForLeaders: true, topics })
        return
      } catch (error) {
        // With many topics at once the broker may not know yet what it has just created.
        const { type } = error as { type?: string }
        if (type !== 'UNKNOWN_TOPIC_OR_PARTITION' || triesLeft === 0) throw error
        await systemClock.sleep(LEADER_POLL_MS)
      }
    }
  }

  /** A connected producer of the client library; the fixture closes it. */
  async producer(options: ProducerConfig = {}): Promise<Producer> {
    const producer = this.#kafka.producer({ ...options, allowAutoTopicCreation: false })
    await producer.connect()
    this.#producers.push(producer)
    return producer
  }

  /** Appends records byte for byte as one batch; returns the messages that they became. */
  async append(
    at: { readonly topic: string; readonly partition: number },
    records: readonly RawRecord[],
    compression: Compression = 'none',
  ): Promise<Message[]> {
    const { baseOffset, appendedAtMs } = await appendBatch(this.#broker, at, records, compression)
    const isAppendTime = appendedAtMs >= 0n
    return records.map((record, i) => ({
      ...at,
      offset: baseOffset + i,
      key: record.key,
      value: record.value,
      headers: record.headers,
      timestampMs: isAppendTime ? appendedAtMs : record.timestampMs,
      timestampType: isAppendTime ? 'append' : 'create',
    }))
  }

  /** Appends many records in batches that go to the partitions in turn. */
  async appendMany(
    topic: string,
    partitionCount: number,
    records: readonly RawRecord[],
    batchRecords = 500,
  ): Promise<Message[]> {
    const messages: Message[] = []
    for (let from = 0, turn = 0; from < records.length; from += batchRecords, turn++) {
      const batch = records.slice(from, from + batchRecords)
      messages.push(...(await this.append({ topic, partition: turn % partitionCount }, batch)))
    }
    return messages
  }

  /** Where every partition ends now, transaction markers included. */
  async ends(topic: string): Promise<Ends> {
    const rows = await this.admin.fetchTopicOffsets(topic)
    return new Map(rows.map(({ partition, high }) => [partition, Number(high)]))
  }

  /** Committed offsets of a group; partitions without one are left out. */
  async committed(groupId: string, topic: string): Promise<Ends> {
    const [rows] = await this.admin.fetchOffsets({ groupId, topics: [topic] })
    const known = (rows?.partitions ?? []).filter(({ offset }) => Number(offset) >= 0)
    return new Map(known.map(({ partition, offset }) => [partition, Number(offset)]))
  }

  /** Whether a group has come at least to `ends`. */
  async hasReached(groupId: string, topic: string, ends: Ends): Promise<boolean> {
    const committed = await this.committed(groupId, topic).catch((error) => {
      if (NO_COORDINATOR.has(error.type)) return new Map<number, number>()
      throw error
    })
    return [...ends].every(
      ([partition, end]) => end === 0 || (committed.get(partition) ?? 0) >= end,
    )
  }

  /** All committed records of a topic, from its beginning to its present end, by partition. */
  async readAll(topic: string): Promise<OutputRecord[]> {
    const left = new Map([...(await this.ends(topic))].filter(([, end]) => end > 0))
    const records: OutputRecord[] = []
    if (left.size === 0) return records
    const consumer = this.#kafka.consumer({
      groupId: `test-${randomUUID()}`,
      readUncommitted: false,
      maxBytesPerPartition: 8 * MEBIBYTE,
      maxWaitTimeInMs: 50,
    })
    const done = Promise.withResolvers<void>()
    // Also told for fetches that hold nothing but markers and aborted records.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      const end = left.get(payload.partition)
      if (end !== undefined && Number(payload.lastOffset) >= end - 1) left.delete(payload.partition)
      if (left.size === 0) done.resolve()
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error))
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages } }) => {
        for (const { offset, key, value } of messages) {
          records.push({ partition, offset: Number(offset), key, value: value as Buffer })
        }
      },
    })
    await done.promise
    await consumer.disconnect()
    return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
  }

  /** The references of a topic as they stand, partition by partition. */
  async references(topic: string): Promise<(OutputRecord & { readonly reference: Reference })[]> {
    const records = await this.readAll(`${topic}.sealed`)
    return records.flatMap((record) =>
      parseReferences(record.value).map((reference) => ({ ...record, reference })),
    )
  }
}
