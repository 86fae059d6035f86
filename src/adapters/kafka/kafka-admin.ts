import type { Admin } from 'kafkajs'
import { systemClock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import type { TopicPartition } from '../../pipeline/message-source.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { kafkaError } from './kafka-errors.ts'

/** A partition and an offset in it. */
export type PartitionOffset = TopicPartition & { readonly offset: number }

/** The code by which the protocol names a topic among those that have settings. */
const TOPIC_RESOURCE = 2

/** Ten seconds in all. */
const KNOWN_TRIES_MAX = 200
const KNOWN_RETRY_MS = 50

/**
 * What the road asks Kafka beside consuming and producing. Connect first, close at the end. Calls wait
 * for each other: kafkajs keeps the metadata of one call only, and a call that meets those of another
 * one takes its topics for topics without partitions.
 */
export class KafkaAdmin {
  readonly #admin: Admin
  readonly #options: KafkaOptions
  /** Settles when the call before is through. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: KafkaOptions) {
    this.#options = options
    this.#admin = createKafka(options).admin()
  }

  /** Connects and returns the id of the cluster. */
  connect(): Promise<string> {
    return this.#try('connecting', async () => {
      await this.#admin.connect()
      return (await this.#admin.describeCluster()).clusterId
    })
  }

  /** How many brokers the cluster has now. */
  brokerCount(): Promise<number> {
    return this.#try('counting brokers', async () => {
      return (await this.#admin.describeCluster()).brokers.length
    })
  }

  /** Partition counts of the topics that exist, by name; absent ones are left out. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#try('looking topics up', async () => {
      const existing = new Set(await this.#admin.listTopics())
      const asked = topics.filter((topic) => existing.has(topic))
      if (asked.length === 0) return new Map()
      const { topics: found } = await this.#admin.fetchTopicMetadata({ topics: asked })
      return new Map(found.map(({ name, partitions }) => [name, partitions.length]))
    })
  }

  /** Partition counts of `topics`. Throws SEAL_TOPIC_MISSING with the names of those that are not there. */
  async requireTopics(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const counts = await this.partitionCounts(topics)
    const missing = topics.filter((topic) => !counts.has(topic))
    if (missing.length === 0) return counts
    throw new SealError(
      'SEAL_TOPIC_MISSING',
      `no topic ${missing.join(', ')} on ${this.#options.brokers.join(', ')}; create it, or mend kafka.topics`,
    )
  }

  /** Creates a topic; one that is there already is fine. -1 replicas: the broker's default. */
  async createTopic(
    topic: string,
    numPartitions: number,
    replicationFactor: number,
  ): Promise<void> {
    await this.#try(`creating topic ${topic}`, () =>
      this.#admin.createTopics({
        waitForLeaders: false,
        topics: [{ topic, numPartitions, replicationFactor }],
      }),
    )
    await this.#known(topic, numPartitions)
  }

  /** Adds partitions to a topic until it has `partitionCount`. */
  async growTopic(topic: string, partitionCount: number): Promise<void> {
    await this.#try(`adding partitions to topic ${topic}`, () =>
      this.#admin.createPartitions({
        topicPartitions: [{ topic, count: partitionCount }],
      }),
    )
    await this.#known(topic, partitionCount)
  }

  /** Committed offsets of a group; -1 where there is none. Partitions that the answer leaves out are an error. */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly PartitionOffset[]> {
    return this.#try('reading committed offsets', async () => {
      const topics = [...new Set(partitions.map(({ topic }) => topic))]
      const committed = new Map<string, number>()
      for (const { topic, partitions: rows } of await this.#admin.fetchOffsets({
        groupId,
        topics,
      })) {
        for (const { partition, offset } of rows) {
          committed.set(`${topic}/${partition}`, Number(offset))
        }
      }
      return partitions.map(({ topic, partition }) => {
        const offset = committed.get(`${topic}/${partition}`)
        if (offset === undefined) throw untold(`${topic}/${partition}`)
        return { topic, partition, offset: Math.max(-1, offset) }
      })
    })
  }

  /** Oldest offset and end of every partition of a topic. */
  bounds(topic: string): Promise<ReadonlyMap<number, { low: number; high: number }>> {
    return this.#try(`reading the offsets of ${topic}`, async () => {
      const rows = await this.#admin.fetchTopicOffsets(topic)
      return new Map(
        rows.map(({ partition, low, high }) => [
          partition,
          { low: Number(low), high: Number(high) },
        ]),
      )
    })
  }

  /** Whether compaction may remove messages of a topic between others. Needs the right to describe its settings. */
  isCompacted(topic: string): Promise<boolean> {
    return this.#try(`reading the settings of ${topic}`, async () => {
      const { resources } = await this.#admin.describeConfigs({
        resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: ['cleanup.policy'] }],
        includeSynonyms: false,
      })
      const policy = resources[0]?.configEntries[0]?.configValue ?? ''
      return policy.split(',').includes('compact')
    })
  }

  /** The first offset of every partition whose record is of `atMs` or later; else the end. */
  offsetsSince(topic: string, atMs: number): Promise<ReadonlyMap<number, number>> {
    return this.#try(`reading the offsets of ${topic}`, async () => {
      const rows = await this.#admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, atMs))
      return new Map(rows.map(({ partition, offset }) => [partition, Number(offset)]))
    })
  }

  async close(): Promise<void> {
    await this.#admin.disconnect().catch(() => {})
  }

  /**
   * Brokers hear of what the controller made a moment later; until then the library takes a topic for
   * missing, and references to a new partition would be refused.
   */
  async #known(topic: string, partitionCount: number): Promise<void> {
    for (let tries = 1; ; tries++) {
      const counts = await this.partitionCounts([topic]).catch(() => new Map<string, number>())
      if ((counts.get(topic) ?? 0) >= partitionCount || tries >= KNOWN_TRIES_MAX) return
      await systemClock.sleep(KNOWN_RETRY_MS)
    }
  }

  async #try<T>(doing: string, call: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(call)
    this.#turn = result.catch(() => {})
    try {
      return await result
    } catch (error) {
      throw kafkaError(error, doing, this.#options.brokers)
    }
  }
}

/** Not the same as an answer that tells of nothing, and worth another try. */
export function untold(place: string): SealError {
  const message = `the broker told nothing of ${place}; it may be about to know the topic`
  return new SealError('SEAL_KAFKA_UNAVAILABLE', message, { retryable: true })
}
