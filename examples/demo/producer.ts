import { crc32 } from 'node:zlib'
import type { Kafka, Producer, RecordMetadata } from 'kafkajs'
import type { Ledger } from './ledger.ts'
import { type DemoMessage, type Load, plaintextBytes } from './load.ts'
import type { SamplePicker } from './samples.ts'
import type { Progress } from './screen.ts'

/** Partitions of every topic of the demo. */
export const PARTITIONS = 4
const BATCH_BYTES = 512 * 1024
const BATCH_MESSAGES_MAX = 5_000

/** What was produced of one load. */
export interface Produced {
  readonly topic: string
  readonly messages: number
  /** Plaintext: keys, values and headers. */
  readonly bytes: number
}

/** Where the producer notes what it did. */
export interface ProducerNotes {
  readonly ledger: Ledger
  readonly samples: SamplePicker
  readonly progress: Progress
}

/** Creates a topic. A topic that is there already is an error: its offsets would not begin at 0. */
export async function createTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }] })
  } finally {
    await admin.disconnect()
  }
}

/** Sends a load to its topic, once each message, and notes every message under its offset. */
export async function produceLoad(
  kafka: Kafka,
  load: Load,
  notes: ProducerNotes,
  signal: AbortSignal,
): Promise<Produced> {
  // Idempotent: a retry after a lost answer must not double a message.
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let messages = 0
  let bytes = 0
  let batch = new Batch()
  const flush = async () => {
    await batch.send(producer, load.topic, notes.ledger)
    notes.progress.update(messages)
    batch = new Batch()
  }
  try {
    for await (const message of load.read()) {
      signal.throwIfAborted()
      const messageBytes = plaintextBytes(message)
      notes.samples.offer(message.value)
      batch.add(partitionOf(message, messages), message, messageBytes)
      messages += 1
      bytes += messageBytes
      if (batch.isFull) await flush()
    }
    await flush()
  } finally {
    await producer.disconnect()
  }
  return { topic: load.topic, messages, bytes }
}

/** Messages with the same key stay in order, the others are spread evenly. */
function partitionOf({ key }: DemoMessage, index: number): number {
  return (key === null ? index : crc32(key)) % PARTITIONS
}

/** Messages of one request, by partition. */
class Batch {
  readonly #byPartition = new Map<number, DemoMessage[]>()
  #messages = 0
  #bytes = 0

  add(partition: number, message: DemoMessage, bytes: number): void {
    const list = this.#byPartition.get(partition)
    if (list === undefined) this.#byPartition.set(partition, [message])
    else list.push(message)
    this.#messages += 1
    this.#bytes += bytes
  }

  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES || this.#messages >= BATCH_MESSAGES_MAX
  }

  async send(producer: Producer, topic: string, ledger: Ledger): Promise<void> {
    if (this.#messages === 0) return
    const messages = [...this.#byPartition].flatMap(([partition, list]) =>
      list.map((message) => ({
        partition,
        key: message.key,
        value: message.value,
        headers: headersOf(message),
        timestamp: String(message.timestampMs),
      })),
    )
    for (const answer of await producer.send({ topic, messages, acks: -1 })) {
      this.#note(answer, topic, ledger)
    }
  }

  #note({ partition, baseOffset }: RecordMetadata, topic: string, ledger: Ledger): void {
    const first = Number(baseOffset)
    for (const [distance, message] of (this.#byPartition.get(partition) ?? []).entries()) {
      ledger.record(topic, partition, first + distance, message)
    }
  }
}

function headersOf({ headers }: DemoMessage): Record<string, Buffer> {
  return Object.fromEntries(headers)
}
