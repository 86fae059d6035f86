// Produces one message an argument. A producer knows nothing of sealstream.
import { Kafka, logLevel } from 'kafkajs'

const [topic, ...values] = process.argv.slice(2)
const kafka = new Kafka({
  clientId: 'shop',
  brokers: process.env.KAFKA_BROKERS.split(','),
  logLevel: logLevel.ERROR,
})

const producer = kafka.producer()
await producer.connect()
await producer.send({
  topic,
  messages: values.map((value, i) => ({ key: `order-${i}`, value, headers: { shop: 'north' } })),
})
await producer.disconnect()
