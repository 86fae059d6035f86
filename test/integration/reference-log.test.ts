import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, inject } from 'vitest'
import { KafkaReferenceLog } from '../../src/adapters/kafka/kafka-reference-log.ts'
import { systemClock } from '../../src/clock.ts'
import { referenceLogContract } from '../contracts/reference-log.contract.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'

/** Long for a reading of a few records, and short for whoever waits for a transaction. */
const OPEN_MS_MAX = 3_000

let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
})

afterAll(() => kafka.close())

describe('the reference log of Kafka', () => {
  referenceLogContract(async () => {
    const name = `log-${randomUUID()}`
    const topic = `${name}.sealed`
    await kafka.createTopic(topic, 1)
    const producer = await kafka.producer()
    let dropped = 0
    return {
      log: new KafkaReferenceLog(
        {
          brokers: inject('stack').kafka.brokers,
          ...{ clientId: 'log-test', requestTimeoutMs: 30_000, groupId: name },
          openTransactionMsMax: OPEN_MS_MAX,
          ...{ topics: [name], referenceTopicSuffix: '.sealed' },
        },
        systemClock,
      ),
      async append(value, atMs) {
        const messages = [{ value, partition: 0, timestamp: String(atMs) }]
        await producer.send({ topic, messages })
      },
      async leaveOpen(value) {
        const transactional = await kafka.producer({
          ...{ transactionalId: name, idempotent: true, maxInFlightRequests: 1 },
        })
        const transaction = await transactional.transaction()
        await transaction.send({ topic, messages: [{ value, partition: 0 }] })
      },
      async drop(count) {
        dropped += count
        // The client must have heard of the topic.
        await kafka.ends(topic)
        await kafka.admin.deleteTopicRecords({
          topic,
          partitions: [{ partition: 0, offset: String(dropped) }],
        })
      },
    }
  })
})
