import { parentPort, workerData } from 'node:worker_threads'
import type { KafkaMessage } from 'kafkajs'
import { createKafka } from '../../src/adapters/kafka/kafka-client.ts'
import { parseReferences, type Reference } from '../../src/index.ts'
import { monotonicMs } from './monotonic.ts'
import type { Arrival } from './timeline.ts'

/** What the watching thread is told. */
export interface WatchOrder {
  readonly brokers: readonly string[]
  readonly topics: readonly string[]
}

/** What it tells: that it is there, or references of a topic that came in. */
export type WatchNews =
  | { readonly kind: 'joined' }
  | { readonly kind: 'arrived'; readonly topic: string; readonly arrival: Arrival }
  | { readonly kind: 'failed'; readonly reason: string }

const FETCH_WAIT_MS = 500

/**
 * Reads references as a read_committed consumer and tells when which came in. They come in the order of
 * the messages, each once, in the partition of the same number, so it looks into the first and the last of
 * a fetch only, and fails where these are not what is due.
 */
async function watch({ brokers, topics }: WatchOrder): Promise<void> {
  const kafka = createKafka({ brokers, clientId: 'bench-watch', requestTimeoutMs: 30_000 })
  const consumer = kafka.consumer({
    groupId: `bench-watch-${process.pid}-${monotonicMs()}`,
    readUncommitted: false,
    maxWaitTimeInMs: FETCH_WAIT_MS,
  })
  const next = new Map<string, number>()
  consumer.on(consumer.events.GROUP_JOIN, () => tell({ kind: 'joined' }))
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch }) => {
      const atMs = monotonicMs()
      const { topic, partition } = batch
      // Our client makes them on the way.
      const messages = [...batch.messages]
      const first = referencesOf(messages[0])
      const last = referencesOf(messages.at(-1))
      if (first === null || last === null) return
      const isList = first.length > 1 || last.length > 1
      const place = `${topic}/${partition}`
      const from = next.get(place) ?? 0
      const to = from + (isList ? countOf(messages) : messages.length)
      next.set(place, to)
      for (const [reference, due] of [
        [first[0], from],
        [last.at(-1), to - 1],
      ] as const) {
        const offset = reference?.offset
        if (offset === due) continue
        tell({ kind: 'failed', reason: `${place}: reference ${offset} where ${due} was due` })
      }
      tell({ kind: 'arrived', topic, arrival: { partition, from, to, atMs } })
    },
  })
}

function referencesOf(message: KafkaMessage | undefined): readonly Reference[] | null {
  return message === undefined ? null : parseReferences(message.value ?? '')
}

function countOf(messages: readonly KafkaMessage[]): number {
  return messages.reduce((sum, message) => sum + (referencesOf(message)?.length ?? 0), 0)
}

function tell(news: WatchNews): void {
  parentPort?.postMessage(news)
}

await watch(workerData as WatchOrder)
