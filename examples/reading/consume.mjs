// Consumes a reference topic as the messages that were produced, and keeps what does not open aside.
import { readFile } from 'node:fs/promises'
import { Kafka, logLevel } from 'kafkajs'
import { createReader, deadLetterTopic, SealedConsumer } from 'sealstream'

const [topic, count] = process.argv.slice(2)
const kafka = new Kafka({
  clientId: 'billing',
  brokers: process.env.KAFKA_BROKERS.split(','),
  logLevel: logLevel.ERROR,
})
const reader = createReader(JSON.parse(await readFile('reader.json', 'utf8')))
const producer = kafka.producer()
await producer.connect()

const consumer = new SealedConsumer(
  { kafka, groupId: 'billing' },
  {
    reader,
    policies: { gone: 'skip', destroyed: 'skip' },
    deadLetter: deadLetterTopic(producer, `${topic}.dead`),
    onRetry: ({ error, delayMs }) => console.error(`${error.message}; again in ${delayMs} ms`),
  },
)
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })

let left = Number(count)
for await (const { message } of consumer.messages()) {
  const { topic: from, partition, offset } = message.source
  console.log(`${from}/${partition} ${offset}: ${message.key} = ${message.value}`)
  if (--left === 0) break
}
await Promise.all([consumer.disconnect(), producer.disconnect(), reader.close()])
