import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { loadKafkajs } from '../src/adapters/kafka/load-kafkajs.ts'

/** What the producing thread is told. */
export interface ProducerOrder {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly perSecond: number
  readonly seconds: number
  readonly valueBytes: number
}

const TICK_MS = 25
/** Below what a broker takes as one batch, however much a slow tick left over. */
const BATCH_MESSAGES_MAX = 1_000

/** Sends messages at an even pace; what a slow tick leaves over, the next one sends. */
async function produce(order: ProducerOrder): Promise<number> {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({
    ...{ clientId: 'bench', brokers: [...order.brokers], logLevel: logLevel.NOTHING },
  })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const total = order.perSecond * order.seconds
  const value = Buffer.alloc(order.valueBytes, 'x')
  const startedAtMs = performance.now()
  let sent = 0
  let turn = 0
  for (let tick = 1; sent < total; tick++) {
    const elapsedMs = performance.now() - startedAtMs
    const due = Math.min(total, Math.floor((elapsedMs / 1000) * order.perSecond))
    while (sent < due) {
      const count = Math.min(due - sent, BATCH_MESSAGES_MAX)
      const partition = turn++ % order.partitions
      const messages = Array.from({ length: count }, () => ({ partition, value }))
      await producer.send({ topic: order.topic, messages, acks: 1 })
      sent += count
    }
    const untilNextMs = startedAtMs + tick * TICK_MS - performance.now()
    if (untilNextMs > 0) await sleep(untilNextMs)
  }
  const tookMs = performance.now() - startedAtMs
  await producer.disconnect()
  return tookMs
}

parentPort?.postMessage(await produce(workerData as ProducerOrder))
