import { readFileSync } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'
import {
  createReader,
  type ReaderOptions,
  SealedConsumer,
  type SealedMessage,
} from '../../src/index.ts'
import { comparable } from './messages.ts'

/** What the process consumes: so many messages, as one more of a group. */
export interface ConsumerOrder {
  readonly brokers: readonly string[]
  readonly groupId: string
  readonly topic: string
  readonly count: number
  readonly reader: ReaderOptions
}

/** A message as it came, in a form that goes through JSON. */
export interface ConsumedMessage {
  readonly partition: number
  readonly content: Record<string, unknown>
}

/** The content of a message in a form in which equal means equal bytes. */
export function contentOf(one: SealedMessage): Record<string, unknown> {
  const content = { ...one, headers: one.headerList, timestampMs: BigInt(one.timestamp) }
  return { ...comparable(content), timestampMs: one.timestamp }
}

// Here kafkajs is what users have: in a test it is exchanged in part, once and for the whole process.
if (import.meta.main) {
  const file = process.argv[2] as string
  const order = JSON.parse(readFileSync(file, 'utf8')) as ConsumerOrder
  const { groupId, topic } = order
  const reader = createReader(order.reader)
  const client = { clientId: 'reading', brokers: [...order.brokers], logLevel: logLevel.ERROR }
  const consumer = new SealedConsumer({ kafka: new Kafka(client), groupId }, { reader })
  const consumed: ConsumedMessage[] = []
  const done = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  consumer.ended.catch(done.reject)
  await consumer.run({
    partitionsConsumedConcurrently: 2,
    eachBatch: async ({ batch: { messages } }) => {
      for (const one of messages) {
        consumed.push({ partition: one.source.partition, content: contentOf(one) })
      }
      if (consumed.length >= order.count) done.resolve()
    },
  })
  await done.promise
  await consumer.disconnect()
  await reader.close()
  process.stdout.write(JSON.stringify(consumed))
}
