import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, inject } from 'vitest'
import { KafkaRecordLog } from '../../src/adapters/kafka/kafka-record-log.ts'
import type { Message } from '../../src/format/message.ts'
import type { Place } from '../../src/verify/ports.ts'
import { recordLogContract } from '../contracts/record-log.contract.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'

const groupId = `record-log-${randomUUID()}`
let kafka: KafkaFixture
let log: KafkaRecordLog

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  log = new KafkaRecordLog({
    ...{ brokers: inject('stack').kafka.brokers, clientId: 'test', requestTimeoutMs: 30_000 },
    ...{ groupId, openTransactionMsMax: 1_000 },
  })
  await log.connect()
})

afterAll(async () => {
  await log.close()
  await kafka.close()
})

/** In batches of their own, some compressed: offsets begin within batches. */
async function append(at: Place, count: number): Promise<Message[]> {
  const messages: Message[] = []
  for (let from = 0; from < count; from += 10) {
    const records = numberedRecords(Math.min(10, count - from), `m${from}`)
    messages.push(...(await kafka.append(at, records, from % 20 === 0 ? 'none' : 'gzip')))
  }
  return messages
}

async function transact(at: Place, count: number, end: 'commit' | 'abort' | 'open') {
  const producer = await kafka.producer({
    ...{ transactionalId: `record-log-${randomUUID()}`, idempotent: true },
    maxInFlightRequests: 1,
  })
  const transaction = await producer.transaction()
  const timestamp = 1_767_000_000_000
  const records = Array.from({ length: count }, (_, i) => ({
    ...{ key: null, value: `t ${i}`, partition: at.partition, timestamp: String(timestamp) },
  }))
  const [sent] = await transaction.send({ topic: at.topic, messages: records })
  if (end === 'commit') await transaction.commit()
  if (end === 'abort') await transaction.abort()
  return records.map(
    ({ value }, i): Message => ({
      ...at,
      offset: Number(sent?.baseOffset) + i,
      ...{ key: null, value: Buffer.from(value), headers: [] },
      ...{ timestampMs: BigInt(timestamp), timestampType: 'create' },
    }),
  )
}

describe('the record log over Kafka', () => {
  recordLogContract(() => ({
    log,
    append,
    transact,
    async createTopic({ isCompacted } = { isCompacted: false }) {
      const topic = `record-log-${randomUUID()}`
      const settings = isCompacted ? { 'cleanup.policy': 'compact' } : {}
      await kafka.createTopic(topic, 2, settings)
      return topic
    },
    async deleteBefore({ topic, partition }, offset) {
      const partitions = [{ partition, offset: String(offset) }]
      // The client deletes from topics alone that it has asked about before.
      await kafka.ends(topic)
      await kafka.admin.deleteTopicRecords({ topic, partitions })
    },
    async commit({ topic, partition }, offset) {
      const partitions = [{ partition, offset: String(offset) }]
      await kafka.admin.setOffsets({ groupId, topic, partitions })
    },
  }))
})
