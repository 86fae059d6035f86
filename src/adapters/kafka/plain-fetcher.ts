import { systemClock } from '../../clock.ts'
import type { TopicPartition } from '../../pipeline/message-source.ts'
import type { LogBounds } from '../../verify/ports.ts'
import type { AbortedTransaction } from './committed-records.ts'
import type { KafkaOptions } from './kafka-client.ts'
import { type Broker, type Cluster, clusterOf } from './kafka-cluster.ts'
import type { RecordSet } from './record-batch.ts'

/** What one fetch of one partition gave. */
export interface Fetched extends Omit<RecordSet, 'bytes'> {
  // Batches are whole, markers and aborted records included; those before the offset too.
  readonly aborted: readonly AbortedTransaction[]
  /** What lies behind it belongs to transactions that are still open. */
  readonly stableEnd: number
}

const READ_COMMITTED = 1
/** A fetch of nothing comes back after this. */
const FETCH_WAIT_MS = 200
const TRIES_MAX = 6
const RETRY_MS = 250

/**
 * Fetches from any offset of any partition. kafkajs consumes in groups only; a checker must leave no
 * group behind and goes over partitions at its own pace, so this speaks to the brokers through the
 * cluster that lies under all clients of kafkajs.
 */
export class PlainFetcher {
  readonly #cluster: Cluster

  /** Nothing is connected yet. */
  constructor(options: KafkaOptions) {
    this.#cluster = clusterOf(options)
  }

  connect(): Promise<void> {
    return this.#cluster.connect()
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => {})
  }

  /**
   * Oldest offset and end of every partition, records of open transactions included: the admin client
   * of kafkajs tells where these begin instead. Rejects as {@link fetch}.
   */
  bounds(topic: string): Promise<readonly LogBounds[]> {
    return this.#patiently(async () => {
      await this.#cluster.addTargetTopic(topic)
      await this.#cluster.refreshMetadata()
      // Never the other way round: what retention deletes in between would lie behind the end.
      const oldest = await this.#offsets(topic, true)
      const ends = await this.#offsets(topic, false)
      return [...ends]
        .map(([partition, end]) => ({ partition, oldest: oldest.get(partition) ?? end, end }))
        .sort((a, b) => a.partition - b.partition)
    })
  }

  /**
   * Again and again for as long as a leader that moved or a lost connection may be the cause. Rejects
   * with what kafkajs throws, its protocol errors with their `type`.
   */
  fetch(at: TopicPartition, offset: number, maxBytes: number): Promise<Fetched> {
    return this.#patiently(() => this.#fetch(at, offset, maxBytes))
  }

  async #fetch(
    { topic, partition }: TopicPartition,
    offset: number,
    maxBytes: number,
  ): Promise<Fetched> {
    const broker = await this.#leaderOf(topic, partition)
    const { responses } = await broker.fetch({
      isolationLevel: READ_COMMITTED,
      maxWaitTime: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
    })
    const found = responses[0]?.partitions[0]
    return {
      ...(found?.messages ?? { batches: [], failure: null }),
      aborted: found?.abortedTransactions ?? [],
      stableEnd: Number(found?.lastStableOffset ?? offset),
    }
  }

  async #offsets(topic: string, fromBeginning: boolean): Promise<ReadonlyMap<number, number>> {
    const partitions = this.#cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => ({ partition: partitionId }))
    // The metadata at hand may be those of a call before; no topic is without partitions.
    if (partitions.length === 0) throw new Error(`nothing is known of ${topic} yet`)
    const found = await this.#cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }])
    return new Map(
      found.flatMap((entry) =>
        entry.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const),
      ),
    )
  }

  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await call()
      } catch (error) {
        if (!isPassing(error) || tries >= TRIES_MAX) throw error
        await systemClock.sleep(RETRY_MS * tries)
        await this.#cluster.refreshMetadata().catch(() => {})
      }
    }
  }

  async #leaderOf(topic: string, partition: number): Promise<Broker> {
    await this.#cluster.addTargetTopic(topic)
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))
    if (nodeId === undefined) throw new Error(`no leader of ${topic}/${partition} is known`)
    return this.#cluster.findBroker({ nodeId })
  }
}

/** True for the refusal of an offset that the broker no longer holds, or does not hold yet. */
export function isOutOfRange(error: unknown): boolean {
  return (error as { readonly type?: string } | null)?.type === 'OFFSET_OUT_OF_RANGE'
}

function isPassing(error: unknown): boolean {
  if (isOutOfRange(error)) return false
  const { retriable, name } = error as { readonly retriable?: boolean; readonly name?: string }
  return retriable !== false && name !== 'RangeError' && name !== 'KafkaJSNotImplemented'
}
