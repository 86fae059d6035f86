import type { Consumer, EachBatchPayload, Producer } from 'kafkajs'
import { systemClock } from '../../clock.ts'
import { isSealError } from '../../errors.ts'
import { beating } from '../../pipeline/beating.ts'
import {
  decodeOrder,
  encodeOrder,
  type OrderWork,
  type ReencryptionOrder,
  type TakeSettings,
  type WorkQueue,
} from '../../reencryption/work-queue.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { kafkaError } from './kafka-errors.ts'

/** Where orders go. */
export interface WorkQueueOptions extends KafkaOptions {
  readonly topic: string
  /** Of those who take part. */
  readonly groupId: string
  readonly sessionTimeoutMs: number
  /** Of a topic that is created; -1 for the broker's default. */
  readonly replicationFactor: number
}

/** The most processes that can take part, times what each works on at a time. */
const PARTITIONS = 24
const ORDERS_PER_RECORD_BATCH = 1_000
/** Heartbeats that a session has room for; the library leaves out those that come sooner. */
const HEARTBEATS_PER_SESSION = 10

/**
 * {@link WorkQueue} over a Kafka topic and a consumer group: the group shares the partitions out, and
 * gives those of a process that dies to others. What is committed is done, so what is left is what
 * lies behind the committed offsets.
 */
export class KafkaWorkQueue implements WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #admin: KafkaAdmin
  #isConnected = false

  constructor(options: WorkQueueOptions) {
    this.#options = options
    this.#admin = new KafkaAdmin(options)
  }

  async offer(orders: readonly ReencryptionOrder[]): Promise<void> {
    const { topic, brokers, replicationFactor } = this.#options
    const admin = await this.#connected()
    const counts = await admin.partitionCounts([topic])
    if (!counts.has(topic)) await admin.createTopic(topic, PARTITIONS, replicationFactor)
    // What is sent again because an answer got lost must not count twice.
    const settings = { allowAutoTopicCreation: false, idempotent: true, maxInFlightRequests: 1 }
    const producer = createKafka(this.#options).producer(settings)
    try {
      await producer.connect()
      for (let from = 0; from < orders.length; from += ORDERS_PER_RECORD_BATCH) {
        await this.#send(producer, orders.slice(from, from + ORDERS_PER_RECORD_BATCH))
      }
    } catch (error) {
      throw kafkaError(error, `writing to ${topic}`, brokers)
    } finally {
      await producer.disconnect().catch(() => {})
    }
  }

  async take(work: OrderWork, { atOnce, signal }: TakeSettings): Promise<void> {
    const { topic, groupId, sessionTimeoutMs, brokers } = this.#options
    if (signal.aborted || !(await this.#exists())) return
    const consumer = createKafka(this.#options).consumer({
      ...{ groupId, sessionTimeout: sessionTimeoutMs },
      heartbeatInterval: sessionTimeoutMs / HEARTBEATS_PER_SESSION,
      allowAutoTopicCreation: false,
      retry: { retries: 5, restartOnFailure: async () => false },
    })
    const over = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => over.resolve(), { once: true })
    consumer.on(consumer.events.CRASH, ({ payload }) => over.reject(payload.error))
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({
        ...{ autoCommit: false, eachBatchAutoResolve: false },
        partitionsConsumedConcurrently: atOnce,
        eachBatch: async (payload) => {
          if ((await takeBatch(consumer, payload, work, signal)) === 'enough') over.resolve()
        },
      })
      await over.promise
    } catch (error) {
      throw kafkaError(error, `reading ${topic}`, brokers)
    } finally {
      await consumer.disconnect().catch(() => {})
    }
  }

  async left(): Promise<number> {
    const { topic, groupId } = this.#options
    if (!(await this.#exists())) return 0
    const bounds = await this.#admin.bounds(topic)
    const partitions = [...bounds.keys()].map((partition) => ({ topic, partition }))
    const committed = await this.#admin.committedOffsets(groupId, partitions)
    return committed.reduce((sum, { partition, offset }) => {
      const { low, high } = bounds.get(partition) ?? { low: 0, high: 0 }
      return sum + Math.max(0, high - Math.max(low, offset))
    }, 0)
  }

  async close(): Promise<void> {
    await this.#admin.close()
  }

  async #exists(): Promise<boolean> {
    const counts = await (await this.#connected()).partitionCounts([this.#options.topic])
    return counts.size > 0
  }

  async #connected(): Promise<KafkaAdmin> {
    if (!this.#isConnected) await this.#admin.connect()
    this.#isConnected = true
    return this.#admin
  }

  /** Keys spread orders over the partitions, and keep those of one segment together. */
  async #send(producer: Producer, orders: readonly ReencryptionOrder[]): Promise<void> {
    const messages = orders.map((order) => ({ key: order.segmentId, value: encodeOrder(order) }))
    await producer.send({ topic: this.#options.topic, acks: -1, messages })
  }
}

/** One by one, each committed when it is done. */
async function takeBatch(
  consumer: Consumer,
  { batch, heartbeat, resolveOffset, isRunning, isStale }: EachBatchPayload,
  work: OrderWork,
  signal: AbortSignal,
): Promise<'next' | 'enough'> {
  const { topic, partition } = batch
  for (const { offset, value } of batch.messages) {
    if (signal.aborted || !isRunning() || isStale()) return 'next'
    const order = orderOf(value)
    const taken = order === null ? 'next' : await beating(work(order), heartbeat, systemClock)
    if (signal.aborted) return 'next'
    resolveOffset(offset)
    await consumer.commitOffsets([{ topic, partition, offset: String(Number(offset) + 1) }])
    if (taken === 'enough') return 'enough'
  }
  return 'next'
}

/** null for a record that somebody else has put there: it must not stop those behind it. */
function orderOf(value: Buffer | null): ReencryptionOrder | null {
  try {
    return decodeOrder(value)
  } catch (error) {
    if (isSealError(error, 'SEAL_MALFORMED')) return null
    throw error
  }
}
