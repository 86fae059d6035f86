import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload } from 'kafkajs'
import { systemClock } from '../../clock.ts'
import { messageOf, SealError } from '../../errors.ts'
import {
  type BatchControl,
  type FetchedBatch,
  type LogBounds,
  type MessageSource,
  placeOf,
  recreatedError,
  type SourceHandler,
  type StartOffset,
  type TopicPartition,
} from '../../pipeline/message-source.ts'
import { type FetchedRecords, unreadableError } from './fetched-records.ts'
import { holdsRecord } from './first-record.ts'
import { type KafkaAdmin, untold } from './kafka-admin.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { clusterOf } from './kafka-cluster.ts'
import { kafkaError } from './kafka-errors.ts'
import { KnownTopics } from './known-topics.ts'
import { laneAssigner } from './lane-assigner.ts'
import { OUT_OF_RANGE } from './load-kafkajs.ts'

/** What is consumed, and how much at a time. */
export interface KafkaSourceOptions extends KafkaOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /** Of the topics where references to their messages are. */
  readonly referenceTopicSuffix: string
  readonly lanes: number
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** Over the fetches from all brokers, which the client makes side by side. */
  readonly fetchBytesMax: number
  readonly fetchBytesPerPartitionMax: number
  readonly fetchBytesMin: number
  readonly fetchWaitMs: number
}

const RESTART_AFTER_MS = 1_000
const PARTITIONS_AT_ONCE = 16
/** Less would cost more in requests than it saves in memory. */
const FETCH_BYTES_MIN = 64 * 1024

/**
 * The message source over kafkajs. Offsets are never committed here: the publisher commits them in
 * its transactions. A consumer that crashes is replaced by a new one for as long as waiting helps;
 * the new one joins anew and fetches from what is committed. Lanes that stay know what they have.
 */
export class KafkaMessageSource implements MessageSource {
  readonly clusterId: string
  readonly #options: KafkaSourceOptions
  readonly #admin: KafkaAdmin
  readonly #topics: KnownTopics
  #consumer: Consumer | null = null
  #handler: SourceHandler | null = null
  #failures = 0
  /** When the group last heard from this member. */
  #heardAtMs = Number.NEGATIVE_INFINITY
  #isStopped = false
  /** How often each partition was sought. */
  readonly #seeks = new Map<string, number>()

  /** `admin` is connected, and stays the caller's. */
  constructor(options: KafkaSourceOptions, admin: KafkaAdmin, clusterId: string) {
    this.#options = options
    this.#admin = admin
    this.#topics = new KnownTopics(clusterOf(options), options.brokers)
    this.clusterId = clusterId
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
    // Before the first fetch: what is fetched afterwards is of these topics, or they are others by then.
    await this.#topics.recreated(this.#options.topics)
    await this.#consume()
  }

  seek(at: TopicPartition, offset: number): void {
    this.#seeks.set(placeOf(at), this.#seekCount(at) + 1)
    this.#whileConsuming((consumer) => {
      consumer.resume([partitionsOf(at)])
      consumer.seek({ topic: at.topic, partition: at.partition, offset: String(offset) })
    })
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#whileConsuming((consumer) => consumer.pause(partitions.map(partitionsOf)))
  }

  async startOffsets(partitions: readonly TopicPartition[]): Promise<readonly StartOffset[]> {
    const { groupId } = this.#options
    const recreated = await this.#recreated(partitions)
    const own = partitions.filter(({ topic }) => !recreated.has(topic))
    const starts: StartOffset[] = []
    for (const at of await this.#admin.committedOffsets(groupId, own)) {
      const isCommitted = at.offset >= 0
      const offset = isCommitted ? at.offset : await this.#firstOffset(at)
      starts.push({ ...at, offset, isCommitted })
    }
    return starts
  }

  async confirm(partitions: readonly TopicPartition[]): Promise<void> {
    for (const topic of await this.#recreated(partitions)) throw recreatedError(topic)
  }

  async logBounds({ topic, partition }: TopicPartition): Promise<LogBounds> {
    const bounds = (await this.#admin.bounds(topic)).get(partition)
    if (bounds === undefined) throw untold(`${topic}/${partition}`)
    return { oldest: bounds.low, end: bounds.high }
  }

  isMember(): boolean {
    return systemClock.elapsedMs() - this.#heardAtMs < this.#options.sessionTimeoutMs
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all([this.#consumer?.disconnect().catch(() => {}), this.#topics.close()])
  }

  async #consume(): Promise<void> {
    const { groupId, topics, lanes, brokers } = this.#options
    const { fetchBytesMin, fetchBytesMax, fetchBytesPerPartitionMax } = this.#options
    // Counted at each start: whatever was fetched is held until all of it is taken over.
    const maxBytes = fetchBytesOf(fetchBytesMax, await this.#admin.brokerCount())
    if (this.#isStopped) return
    const consumer = createKafka(this.#options).consumer({
      groupId,
      partitionAssigners: [laneAssigner(lanes)],
      sessionTimeout: this.#options.sessionTimeoutMs,
      heartbeatInterval: this.#options.heartbeatIntervalMs,
      maxBytes,
      maxBytesPerPartition: fetchBytesPerPartitionMax,
      // What a broker can never gather it would wait for each time.
      minBytes: Math.min(fetchBytesMin, fetchBytesPerPartitionMax, maxBytes),
      maxWaitTimeInMs: this.#options.fetchWaitMs,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      // A crashed consumer is not started again by the library, but replaced by us.
      retry: { retries: 5, restartOnFailure: async () => false },
    })
    this.#consumer = consumer
    try {
      consumer.on(consumer.events.GROUP_JOIN, (event) => this.#joined(event))
      consumer.on(consumer.events.HEARTBEAT, () => {
        this.#heardAtMs = systemClock.elapsedMs()
      })
      consumer.on(OUT_OF_RANGE as typeof consumer.events.CRASH, ({ payload }) =>
        this.#outOfRange(payload as unknown as TopicPartition),
      )
      consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(consumer, payload.error))
      await consumer.connect()
      await consumer.subscribe({ topics: [...topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.#take(payload),
      })
    } catch (error) {
      await consumer.disconnect().catch(() => {})
      throw kafkaError(error, `consuming ${topics.join(', ')}`, brokers)
    }
  }

  /**
   * Where a partition begins of which nothing is committed. Kafka forgets what was committed when the
   * topic is deleted, or when the group was idle for long; references show that there was something.
   */
  async #firstOffset(at: TopicPartition): Promise<number> {
    const { referenceTopicSuffix, groupId } = this.#options
    const output = { topic: at.topic + referenceTopicSuffix, partition: at.partition }
    const isThere = (await this.#admin.partitionCounts([output.topic])).has(output.topic)
    const { oldest, end } = isThere ? await this.logBounds(output) : { oldest: 0, end: 0 }
    if (end > oldest && (await holdsRecord(this.#options, output, oldest, end))) {
      throw new SealError(
        'SEAL_SOURCE_RESTARTED',
        `${at.topic}/${at.partition}: group ${groupId} has no committed offset any more, though ${output.topic} has references; the topic was created again, or the group was idle for too long. Set its offset by hand to where sealing may go on, or give a new topic another name`,
      )
    }
    return (await this.logBounds(at)).oldest
  }

  #recreated(partitions: readonly TopicPartition[]): Promise<ReadonlySet<string>> {
    return this.#topics.recreated(partitions.map(({ topic }) => topic))
  }

  #joined(event: ConsumerGroupJoinEvent): void {
    this.#failures = 0
    this.#heardAtMs = systemClock.elapsedMs()
    const assignment = Object.entries(event.payload.memberAssignment)
    this.#handler?.onAssigned(
      assignment.flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
      ),
    )
  }

  #outOfRange({ topic, partition }: TopicPartition): void {
    this.#handler?.onOutOfRange({ topic, partition })
  }

  #crashed(consumer: Consumer, cause: Error): void {
    if (this.#isStopped || consumer !== this.#consumer) return
    const { topics, brokers } = this.#options
    const error = kafkaError(cause, `consuming ${topics.join(', ')}`, brokers)
    if (!error.retryable) {
      this.#handler?.onFailure(error)
      return
    }
    this.#handler?.onInterrupted(error, ++this.#failures)
    setTimeout(() => {
      if (this.#isStopped) return
      this.#consume().catch((failure) => this.#crashed(this.#consumer as Consumer, failure))
    }, RESTART_AFTER_MS)
  }

  /**
   * Hands one batch to the road. What the heartbeat rejects with must reach kafkajs, which then
   * joins the group again; anything else must not, because kafkajs would fetch the batch anew.
   */
  async #take(payload: EachBatchPayload): Promise<void> {
    let rebalance: unknown
    const fetched = payload.batch as unknown as FetchedRecords
    // The library forgets a seek with the next fetch, while the batch may still wait for its lane.
    const seekCount = payload.isStale() ? null : this.#seekCount(fetched)
    const control: BatchControl = {
      isStale: () => seekCount !== this.#seekCount(fetched) || !payload.isRunning(),
      letGo: () => fetched.letGo(),
      heartbeat: async () => {
        try {
          await payload.heartbeat()
        } catch (error) {
          rebalance = error
          throw error
        }
      },
    }
    const batch = fetchedBatch(fetched)
    if (fetched.unreadable !== null) {
      if (control.isStale()) return
      payload.pause()
      this.#handler?.onUnreadable(batch, unreadableError(fetched, fetched.unreadable))
      return
    }
    try {
      const isTaken = await this.#handler?.onBatch(batch, control)
      // The library moves on behind what is resolved, and behind nothing else.
      if (isTaken) payload.resolveOffset(String(batch.nextOffset - 1))
    } catch (error) {
      if (error === rebalance) throw error
      this.#handler?.onFailure(error)
    }
  }

  #seekCount(at: TopicPartition): number {
    return this.#seeks.get(placeOf(at)) ?? 0
  }

  /** kafkajs throws when it is not running; positions are read anew when it runs again. */
  #whileConsuming(call: (consumer: Consumer) => void): void {
    if (this.#consumer === null) return
    try {
      call(this.#consumer)
    } catch (error) {
      if (!messageOf(error).includes('Consumer group was not initialized')) throw error
    }
  }
}

/** What one of `brokerCount` brokers may send of `fetchBytesMax` at a time. */
export function fetchBytesOf(fetchBytesMax: number, brokerCount: number): number {
  return Math.max(FETCH_BYTES_MIN, Math.floor(fetchBytesMax / Math.max(1, brokerCount)))
}

function partitionsOf({ topic, partition }: TopicPartition) {
  return { topic, partitions: [partition] }
}

function fetchedBatch(fetched: FetchedRecords): FetchedBatch {
  const { topic, partition, messages, nextOffset } = fetched
  return { topic, partition, messages, fetchedOffset: Number(fetched.fetchedOffset), nextOffset }
}
