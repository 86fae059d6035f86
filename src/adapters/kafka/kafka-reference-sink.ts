import { setTimeout as sleep } from 'node:timers/promises'
import type { Message, Producer, TopicMessages, Transaction } from 'kafkajs'
import { SealError } from '../../errors.ts'
import { step } from '../../failpoints.ts'
import {
  type LanePublisher,
  type OutputRecords,
  type Publication,
  type ReferenceSink,
  tooLate,
} from '../../pipeline/reference-sink.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { isConcurrentTransaction, kafkaError } from './kafka-errors.ts'

/** Who publishes. */
export interface KafkaSinkOptions extends KafkaOptions {
  readonly groupId: string
  readonly transactionTimeoutMs: number
}

/** A batch a partition must stay well under the broker's default limit of 1 MiB. */
const BATCH_BYTES_MAX = 512 * 1024
/** What a record takes besides its value, rounded up. */
const RECORD_OVERHEAD_BYTES = 24
/** A broker that still writes the markers of the last transaction refuses the next one briefly. */
const CONCURRENT_RETRIES_MAX = 200
const CONCURRENT_RETRY_MS = 5

/** The reference sink over kafkajs: one transactional producer a lane. */
export class KafkaReferenceSink implements ReferenceSink {
  readonly #options: KafkaSinkOptions

  constructor(options: KafkaSinkOptions) {
    this.#options = options
  }

  async openLane(lane: number): Promise<LanePublisher> {
    const { groupId, transactionTimeoutMs, brokers } = this.#options
    const producer = createKafka(this.#options).producer({
      transactionalId: `sealstream-${groupId}-lane-${lane}`,
      transactionTimeout: transactionTimeoutMs,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    })
    try {
      await producer.connect()
      // Initialising the id fences every earlier writer and ends its open transaction. Aborting
      // the empty transaction sends nothing.
      await step('lane-open', async () => (await producer.transaction()).abort())
      return new KafkaLanePublisher(producer, groupId, brokers)
    } catch (error) {
      await producer.disconnect().catch(() => {})
      throw kafkaError(error, `opening lane ${lane}`, brokers)
    }
  }
}

class KafkaLanePublisher implements LanePublisher {
  readonly #producer: Producer
  readonly #groupId: string
  readonly #brokers: readonly string[]
  #hasFailed = false

  constructor(producer: Producer, groupId: string, brokers: readonly string[]) {
    this.#producer = producer
    this.#groupId = groupId
    this.#brokers = brokers
  }

  async publish(publication: Publication, isInTime: () => boolean): Promise<void> {
    if (this.#hasFailed) {
      const message = 'a publisher that failed is of no further use'
      throw new SealError('SEAL_KAFKA_UNAVAILABLE', message, { retryable: true })
    }
    try {
      const transaction = await this.#producer.transaction()
      let isFirst = true
      for (const topicMessages of rounds(publication.records)) {
        const send = () => transaction.sendBatch({ topicMessages, acks: -1 })
        await step('references', () => (isFirst ? patiently(send) : send()))
        isFirst = false
      }
      const offsets = () => this.#sendOffsets(transaction, publication)
      await step('offsets', () => (isFirst ? patiently(offsets) : offsets()))
      // Left open: the next opening of the lane ends it.
      if (!isInTime()) throw tooLate()
      await step('commit', () => transaction.commit())
    } catch (error) {
      // No abort: a commit whose answer was lost may have got through, and the next writer's fencing
      // settles it.
      this.#hasFailed = true
      throw kafkaError(error, 'publishing references', this.#brokers)
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect().catch(() => {})
  }

  #sendOffsets(transaction: Transaction, publication: Publication): Promise<void> {
    const topics = new Map<string, { partition: number; offset: string }[]>()
    for (const { topic, partition, nextOffset } of publication.offsets) {
      const rows = topics.get(topic) ?? []
      rows.push({ partition, offset: String(nextOffset) })
      topics.set(topic, rows)
    }
    return transaction.sendOffsets({
      consumerGroupId: this.#groupId,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    })
  }
}

/** Makes the first call of a transaction, which alone may meet the end of the one before. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (!isConcurrentTransaction(error) || attempt >= CONCURRENT_RETRIES_MAX) throw error
      await sleep(CONCURRENT_RETRY_MS)
    }
  }
}

/** Cuts records into requests so that no partition gets a batch beyond the broker's limit. */
function* rounds(records: readonly OutputRecords[]): Generator<TopicMessages[]> {
  const cursors = records.map(() => 0)
  for (;;) {
    const topics = new Map<string, Message[]>()
    records.forEach(({ topic, partition, values }, i) => {
      const messages = topics.get(topic) ?? []
      let bytes = 0
      let at = cursors[i] as number
      for (let value = values[at]; value !== undefined; value = values[++at]) {
        bytes += value.length + RECORD_OVERHEAD_BYTES
        if (bytes > BATCH_BYTES_MAX && at > (cursors[i] as number)) break
        messages.push({ key: null, value: value as Buffer, partition })
      }
      cursors[i] = at
      if (messages.length > 0) topics.set(topic, messages)
    })
    if (topics.size === 0) return
    yield [...topics].map(([topic, messages]) => ({ topic, messages }))
  }
}
