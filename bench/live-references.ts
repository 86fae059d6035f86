import { parentPort, workerData } from 'node:worker_threads'
import { loadKafkajs } from '../src/adapters/kafka/load-kafkajs.ts'

/** What the reading thread is told. */
export interface ReadingOrder {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly groupId: string
}

/** References that came in one fetch, by the offsets of their messages, and when they were visible. */
export interface SeenBatch {
  readonly partition: number
  readonly offsets: Float64Array
  readonly atMs: number
}

const OFFSET = Buffer.from('"offset":')
const DIGIT = { zero: 0x30, nine: 0x39 }

/** Notes when references of committed transactions can be read, until it is told to end. */
async function read({ brokers, topic, groupId }: ReadingOrder): Promise<void> {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 50, readUncommitted: false })
  const seen: SeenBatch[] = []
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve())
  })
  await consumer.run({
    ...{ autoCommit: false, eachBatchAutoResolve: true, partitionsConsumedConcurrently: 4 },
    eachBatch: async ({ batch }) => {
      const atMs = Date.now()
      const offsets = Float64Array.from(batch.messages, ({ value }) => offsetOf(value as Buffer))
      seen.push({ partition: batch.partition, offsets, atMs })
    },
  })
  await joined
  parentPort?.postMessage('ready')
  parentPort?.once('message', async () => {
    await consumer.disconnect()
    parentPort?.postMessage(seen)
  })
}

/** Of the message, read without taking the whole reference apart. */
function offsetOf(value: Buffer): number {
  let at = value.indexOf(OFFSET) + OFFSET.length
  let offset = 0
  for (let byte = value[at] as number; byte >= DIGIT.zero && byte <= DIGIT.nine; ) {
    offset = offset * 10 + byte - DIGIT.zero
    byte = value[++at] as number
  }
  return offset
}

await read(workerData as ReadingOrder)
