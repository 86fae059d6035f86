import { randomUUID } from 'node:crypto'
import type { Consumer } from 'kafkajs'
import { SealError } from '../../errors.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { kafkaError } from './kafka-errors.ts'

/** Which references to read, and when to end. */
export interface FeedOptions extends KafkaOptions {
  /** The reference topic. */
  readonly topic: string
  /** From the oldest reference, or only those that come from now on. */
  readonly from: 'beginning' | 'end'
  /** Goes on for ever instead of ending with the last reference that is there at the start. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

const FETCH_BYTES_PER_PARTITION = 2 * 1024 * 1024

/** Takes the values of one fetch of one partition; the next fetch waits for it. */
export type ReferenceHandler = (values: readonly Buffer[], partition: number) => Promise<void>

/**
 * Reads a reference topic (read_committed) and hands its values to `onReferences`, partition by
 * partition in order. Resolves at the end, or when the signal aborts; commits nothing, so every
 * call starts anew. Throws what the handler throws, SEAL_TOPIC_MISSING and SEAL_KAFKA_*.
 */
export async function feedReferences(
  options: FeedOptions,
  onReferences: ReferenceHandler,
): Promise<void> {
  const ends = await endsOf(options)
  const isDone = () => !options.follow && ends.size === 0
  if (isDone()) return
  const consumer = createKafka(options).consumer({
    groupId: `sealstream-read-${randomUUID()}`,
    maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
    maxWaitTimeInMs: 100,
    readUncommitted: false,
    retry: { retries: 5, restartOnFailure: async () => false },
  })
  const finished = Promise.withResolvers<void>()
  const passed = (partition: number, lastOffset: number) => {
    const end = ends.get(partition)
    if (end !== undefined && lastOffset >= end - 1) ends.delete(partition)
    if (isDone()) finished.resolve()
  }
  consumer.on(consumer.events.CRASH, ({ payload }) => finished.reject(payload.error))
  // Also told for fetches that hold transaction markers alone, which reach no handler.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
    passed(payload.partition, Number(payload.lastOffset)),
  )
  options.signal.addEventListener('abort', () => finished.resolve(), { once: true })
  try {
    await consume(consumer, options, onReferences, finished.reject)
    await finished.promise
  } catch (error) {
    throw kafkaError(error, `reading ${options.topic}`, options.brokers)
  } finally {
    await consumer.disconnect().catch(() => {})
  }
}

async function consume(
  consumer: Consumer,
  options: FeedOptions,
  onReferences: ReferenceHandler,
  onFailure: (error: unknown) => void,
): Promise<void> {
  await consumer.connect()
  await consumer.subscribe({
    topics: [options.topic],
    fromBeginning: options.from === 'beginning',
  })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch, heartbeat }) => {
      if (options.signal.aborted) return
      try {
        await onReferences(
          batch.messages.map(({ value }) => value ?? Buffer.alloc(0)),
          batch.partition,
        )
      } catch (error) {
        onFailure(error)
        return
      }
      await heartbeat()
    },
  })
}

/** Where each partition that holds anything ends now. Throws SEAL_TOPIC_MISSING. */
async function endsOf(options: FeedOptions): Promise<Map<number, number>> {
  const admin = new KafkaAdmin(options)
  try {
    await admin.connect()
    const counts = await admin.partitionCounts([options.topic])
    if (!counts.has(options.topic)) {
      throw new SealError(
        'SEAL_TOPIC_MISSING',
        `no topic ${options.topic} on ${options.brokers.join(', ')}; has its source been sealed yet?`,
      )
    }
    const ends = new Map<number, number>()
    for (const [partition, { low, high }] of await admin.bounds(options.topic)) {
      if (high > low) ends.set(partition, high)
    }
    return ends
  } finally {
    await admin.close()
  }
}
