import { Kafka, logLevel } from 'kafkajs'
import { ArmCounter, type ArmOrder, armOrder } from './arm-program.ts'

const MIB = 1024 * 1024
const FETCH = { maxBytes: 16 * MIB, maxBytesPerPartition: 4 * MIB }

/** Reads a topic and does nothing with it: what the client library alone costs. */
const CLIENTS: Readonly<Record<string, (order: ArmOrder, count: ArmCounter) => Promise<void>>> = {
  'kafkajs eachMessage': async ({ stack, topic, arm }, count) => {
    const consumer = await kafkajsConsumer(stack.kafka.brokers, arm, topic)
    await consumer.run({ eachMessage: async () => count.add(1) })
  },
  'kafkajs eachBatch': async ({ stack, topic, arm }, count) => {
    const consumer = await kafkajsConsumer(stack.kafka.brokers, arm, topic)
    await consumer.run({ eachBatch: async ({ batch }) => count.add(batch.messages.length) })
  },
  '@platformatic/kafka': async ({ stack, topic, arm }, count) => {
    const { Consumer } = await import('@platformatic/kafka')
    const consumer = new Consumer({
      ...{ clientId: 'bench', bootstrapBrokers: [...stack.kafka.brokers], groupId: groupOf(arm) },
      ...{ maxBytes: FETCH.maxBytes, maxWaitTime: 100, autocommit: false },
      ...{ maxBytesPerPartition: FETCH.maxBytesPerPartition },
    })
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
    stream.on('data', () => count.add(1))
  },
}

async function kafkajsConsumer(brokers: readonly string[], arm: string, topic: string) {
  const kafka = new Kafka({ clientId: 'bench', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: groupOf(arm), ...FETCH, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  return consumer
}

function groupOf(arm: string): string {
  return `bench-${arm.replaceAll(/\W/g, '-')}`
}

const order = armOrder()
await CLIENTS[order.arm]?.(order, new ArmCounter())
