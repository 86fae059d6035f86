import { setTimeout as sleep } from 'node:timers/promises'
import type { Producer, TopicMessages, Transaction } from 'kafkajs'
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
import { RunOfMessages } from './record-run-request.ts'

/** Who publishes. */
export interface KafkaSinkOptions extends KafkaOptions {
  readonly groupId: string
  readonly transactionTimeoutMs: number
}

/** A broker that still writes the markers of the last transaction refuses the next one briefly. */
const CONCURRENT_RETRIES_MAX = 200
const CONCURRENT_RETRY_MS = 5
/**
 * The library meets the same refusal when it adds partitions, and tries again by itself: by its own
 * settings after 200 ms, which was most of the latency of every tenth transaction. These tries end
 * after as long, some seven seconds: then the lane begins anew.
 */
const RETRY = { retries: 16, initialRetryTime: CONCURRENT_RETRY_MS, multiplier: 1.5 }

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
      retry: RETRY,
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

/** A request takes one run of each partition. */
function* rounds(records: readonly OutputRecords[]): Generator<TopicMessages[]> {
  const most = Math.max(0, ...records.map(({ runs }) => runs.length))
  for (let round = 0; round < most; round++) {
    const topics = new Map<string, RunOfMessages[]>()
    for (const { topic, partition, runs } of records) {
      const run = runs[round]
      if (run === undefined) continue
      const messages = topics.get(topic) ?? []
      messages.push(new RunOfMessages(partition, run))
      topics.set(topic, messages)
    }
    yield [...topics].map(([topic, messages]) => ({ topic, messages }))
  }
}
