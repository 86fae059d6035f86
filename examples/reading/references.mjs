// Prints the first references of a reference topic: all that a consumer without keys ever sees.
import { Kafka, logLevel } from 'kafkajs'

const [topic, count] = process.argv.slice(2)
const kafka = new Kafka({
  clientId: 'reading',
  brokers: process.env.KAFKA_BROKERS.split(','),
  logLevel: logLevel.ERROR,
})

const consumer = kafka.consumer({ groupId: `references-${process.pid}` })
const enough = Promise.withResolvers()
let left = Number(count)
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  eachMessage: async ({ message }) => {
    if (left-- > 0) console.log(message.value.toString())
    if (left === 0) enough.resolve()
  },
})
await enough.promise
await consumer.disconnect()
