import { SealError } from '../../errors.ts'
import type { MessageCoordinates } from '../../format/message.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import { kafkaError } from './kafka-errors.ts'

/** Where canary messages go. */
export interface CanaryProducerOptions extends KafkaOptions {
  readonly topic: string
  /** Of every message: what puts it into its key domain. */
  readonly headers: Readonly<Record<string, string>>
}

const MESSAGES_PER_BATCH = 500

/**
 * Appends one message for each value, and tells where each came to stand. Throws SEAL_KAFKA_*.
 */
export async function produceCanary(
  options: CanaryProducerOptions,
  values: readonly Uint8Array[],
): Promise<readonly MessageCoordinates[]> {
  const { topic, headers, brokers } = options
  const settings = { allowAutoTopicCreation: false, idempotent: true, maxInFlightRequests: 1 }
  const producer = createKafka(options).producer(settings)
  const coordinates: MessageCoordinates[] = []
  try {
    await producer.connect()
    for (let from = 0; from < values.length; from += MESSAGES_PER_BATCH) {
      const batch = values.slice(from, from + MESSAGES_PER_BATCH)
      // One partition: then the answer tells the place of each.
      const messages = batch.map((value) => ({
        ...{ key: null, value: Buffer.from(value), partition: 0 },
        headers: { ...headers },
      }))
      const [record] = await producer.send({ topic, acks: -1, messages })
      const baseOffset = Number(record?.baseOffset)
      if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) {
        const message = `Kafka did not tell where the canary messages of ${topic} came to stand`
        throw new SealError('SEAL_KAFKA_REFUSED', message)
      }
      for (let i = 0; i < batch.length; i++) {
        coordinates.push({ topic, partition: 0, offset: baseOffset + i })
      }
    }
    return coordinates
  } catch (error) {
    throw kafkaError(error, `writing to ${topic}`, brokers)
  } finally {
    await producer.disconnect().catch(() => {})
  }
}
