import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { loadKafkajs } from '../src/adapters/kafka/load-kafkajs.ts'

/** What the producing thread is told. */
export interface LoadOrder {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly perSecond: number
  readonly seconds: number
  readonly valueBytes: number
}

/** A batch that was sent: message i of it was meant to be sent at `firstDueMs + i * stepMs`. */
export interface SentBatch {
  readonly partition: number
  readonly baseOffset: number
  readonly count: number
  readonly firstDueMs: number
  readonly stepMs: number
}

const TICK_MS = 20

/**
 * Open loop: every message has a time at which it is to be sent, whatever became of those before. A
 * tick sends what is due of each partition and waits for no answer, so what is slow delays nothing
 * but itself, and is counted from its due time.
 */
async function produce(order: LoadOrder): Promise<readonly SentBatch[]> {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({
    ...{ clientId: 'bench', brokers: [...order.brokers], logLevel: logLevel.NOTHING },
  })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const value = Buffer.alloc(order.valueBytes, 'x')
  const stepMs = (1_000 / order.perSecond) * order.partitions
  const startedAtMs = Date.now()
  const endMs = startedAtMs + order.seconds * 1_000
  const sent: SentBatch[] = []
  const sending: Promise<unknown>[] = []
  const counts = Array.from({ length: order.partitions }, () => 0)
  for (let tick = 1; Date.now() < endMs; tick++) {
    for (let partition = 0; partition < order.partitions; partition++) {
      const before = counts[partition] as number
      const due = Math.floor((Date.now() - startedAtMs) / stepMs)
      if (due === before) continue
      const count = due - before
      counts[partition] = due
      const firstDueMs = startedAtMs + before * stepMs
      const messages = Array.from({ length: count }, () => ({ partition, value }))
      const send = async () => {
        const [answer] = await producer.send({ topic: order.topic, messages, acks: 1 })
        const baseOffset = Number(answer?.baseOffset)
        sent.push({ partition, baseOffset, count, firstDueMs, stepMs })
      }
      sending.push(send())
    }
    const untilNextMs = startedAtMs + tick * TICK_MS - Date.now()
    if (untilNextMs > 0) await sleep(untilNextMs)
  }
  await Promise.all(sending)
  await producer.disconnect()
  return sent
}

parentPort?.postMessage(await produce(workerData as LoadOrder))
