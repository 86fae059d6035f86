import { randomUUID } from 'node:crypto'
import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload, KafkaMessage } from 'kafkajs'
import { systemClock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import { beating } from '../../pipeline/beating.ts'
import type { TopicPartition } from '../../pipeline/message-source.ts'
import { type FetchedRecords, unreadableError } from './fetched-records.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { kafkaError, noReferenceTopic } from './kafka-errors.ts'
import { OUT_OF_RANGE } from './load-kafkajs.ts'

/**
 * The oldest reference, those that come from now on, or so many offsets of each partition before that.
 * Ends of transactions have offsets too, so fewer references than offsets may come.
 */
export type FeedStart = 'beginning' | 'end' | { readonly back: number }

/** Which references to read, and when to end. */
export interface FeedOptions extends KafkaOptions {
  /** The reference topic. */
  readonly topic: string
  readonly from: FeedStart
  /** Goes on for ever instead of ending with the last reference that is there at the start. */
  readonly follow: boolean
  /** Without a heartbeat for this long the broker takes the reader for dead; 30 s by default. */
  readonly sessionTimeoutMs?: number
  readonly signal: AbortSignal
}

const FETCH_BYTES_PER_PARTITION = 2 * 1024 * 1024
const PARTITIONS_AT_ONCE = 4
const SESSION_TIMEOUT_MS = 30_000
/** Heartbeats that a session has room for; the library leaves out those that come sooner. */
const HEARTBEATS_PER_SESSION = 10

/** Takes the values of one fetch of one partition; the next fetch waits for it. */
export type ReferenceHandler = (values: readonly Buffer[], partition: number) => Promise<void>

/**
 * Reads a reference topic (read_committed) and hands its values to `onReferences`, each once and
 * partition by partition in order. Resolves at the end, or when the signal aborts, and never before
 * the handler has; commits nothing, so every call starts anew. Throws what the handler throws,
 * SEAL_TOPIC_MISSING and SEAL_KAFKA_*.
 */
export async function feedReferences(
  options: FeedOptions,
  onReferences: ReferenceHandler,
): Promise<void> {
  const bounds = await boundsOf(options)
  await new ReferenceFeed(options, bounds, onReferences).run()
}

type Bounds = ReadonlyMap<number, { readonly low: number; readonly high: number }>

/**
 * One reading of a topic. Where it stands is known here and nowhere else: the group commits nothing,
 * so whenever the consumer joins it (at the start, and again after an eviction or a broker's end)
 * it is sent to where each partition goes on, and what comes in a second time is passed over.
 */
class ReferenceFeed {
  readonly #options: FeedOptions
  readonly #onReferences: ReferenceHandler
  readonly #consumer: Consumer
  readonly #finished = Promise.withResolvers<void>()
  /** The offset that comes next, by partition; it moves on when the handler is called. */
  readonly #next = new Map<number, number>()
  /** Where partitions end that are not yet read to the end they had at the start. */
  readonly #ends = new Map<number, number>()
  /** The handler's work of each partition, a call behind the other. Never rejects. */
  readonly #work = new Map<number, Promise<void>>()
  #isOver = false

  constructor(options: FeedOptions, bounds: Bounds, onReferences: ReferenceHandler) {
    this.#options = options
    this.#onReferences = onReferences
    for (const [partition, { low, high }] of bounds) {
      const start = startOf(options.from, low, high)
      this.#next.set(partition, start)
      if (high > start) this.#ends.set(partition, high)
    }
    const sessionTimeout = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS
    this.#consumer = createKafka(options).consumer({
      groupId: `sealstream-read-${randomUUID()}`,
      sessionTimeout,
      heartbeatInterval: sessionTimeout / HEARTBEATS_PER_SESSION,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      maxWaitTimeInMs: 100,
      readUncommitted: false,
      retry: { retries: 5, restartOnFailure: async () => false },
    })
  }

  async run(): Promise<void> {
    const { topic, brokers, signal } = this.#options
    if (this.#isDone) return
    signal.addEventListener('abort', () => this.#finished.resolve(), { once: true })
    try {
      await this.#consume()
      await this.#finished.promise
    } catch (error) {
      throw kafkaError(error, `reading ${topic}`, brokers)
    } finally {
      this.#isOver = true
      await this.#consumer.disconnect().catch(() => {})
      // After an eviction the library no longer waits for the work that was going on.
      await Promise.all(this.#work.values())
    }
  }

  async #consume(): Promise<void> {
    const consumer = this.#consumer
    consumer.on(consumer.events.GROUP_JOIN, (event) => this.#seek(event))
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#finished.reject(payload.error))
    consumer.on(OUT_OF_RANGE as typeof consumer.events.CRASH, ({ payload }) =>
      this.#finished.reject(deletedMeanwhile(payload as unknown as TopicPartition)),
    )
    // Also told for fetches that hold transaction markers alone, which reach no handler.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
      this.#passed(payload.partition, Number(payload.lastOffset)),
    )
    await consumer.connect()
    // Only for partitions that are added later: all of theirs is new.
    await consumer.subscribe({ topics: [this.#options.topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => this.#take(payload),
    })
  }

  #seek({ payload }: ConsumerGroupJoinEvent): void {
    const { topic } = this.#options
    for (const partition of payload.memberAssignment[topic] ?? []) {
      const next = this.#next.get(partition)
      if (next !== undefined) this.#consumer.seek({ topic, partition, offset: String(next) })
    }
  }

  /** Hands on what is new of a batch. Rejects when the heart does; kafkajs then joins again. */
  async #take({ batch, heartbeat }: EachBatchPayload): Promise<void> {
    const { partition } = batch
    const { unreadable } = batch as unknown as FetchedRecords
    if (unreadable !== null) this.#finished.reject(unreadableError(batch, unreadable))
    const next = this.#next.get(partition) ?? 0
    const fresh = [...batch.messages].filter(({ offset }) => Number(offset) >= next)
    const last = fresh.at(-1)
    if (last !== undefined) this.#next.set(partition, Number(last.offset) + 1)
    // A batch that comes in again waits as well: the end must not be told before the work is done.
    const work = (this.#work.get(partition) ?? Promise.resolve()).then(() =>
      this.#handOn(fresh, partition),
    )
    this.#work.set(partition, work)
    await beating(work, heartbeat, systemClock)
  }

  async #handOn(messages: readonly KafkaMessage[], partition: number): Promise<void> {
    const last = messages.at(-1)
    if (last === undefined || this.#isOver || this.#options.signal.aborted) return
    try {
      const values = messages.map(({ value }) => value ?? Buffer.alloc(0))
      await this.#onReferences(values, partition)
      // Told here too: who lost the membership over the last batch gets no other one after it.
      this.#passed(partition, Number(last.offset))
    } catch (error) {
      this.#isOver = true
      this.#finished.reject(error)
    }
  }

  #passed(partition: number, lastOffset: number): void {
    const end = this.#ends.get(partition)
    if (end !== undefined && lastOffset >= end - 1) this.#ends.delete(partition)
    if (this.#isDone) this.#finished.resolve()
  }

  get #isDone(): boolean {
    return !this.#options.follow && this.#ends.size === 0
  }
}

function startOf(from: FeedStart, low: number, high: number): number {
  if (typeof from === 'object') return Math.max(low, high - from.back)
  return from === 'end' ? high : low
}

function deletedMeanwhile({ topic, partition }: TopicPartition): SealError {
  return new SealError(
    'SEAL_SOURCE_GAP',
    `${topic}/${partition}: Kafka deleted references while they were read; read again`,
  )
}

/** Oldest offset and end of every partition now. Throws SEAL_TOPIC_MISSING. */
async function boundsOf(options: FeedOptions): Promise<Bounds> {
  const admin = new KafkaAdmin(options)
  try {
    await admin.connect()
    const counts = await admin.partitionCounts([options.topic])
    if (!counts.has(options.topic)) {
      throw noReferenceTopic(options.topic, options.brokers)
    }
    return await admin.bounds(options.topic)
  } finally {
    await admin.close()
  }
}
