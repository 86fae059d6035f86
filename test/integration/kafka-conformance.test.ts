import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { KafkaAdmin } from '../../src/adapters/kafka/kafka-admin.ts'
import { KafkaMessageSource } from '../../src/adapters/kafka/kafka-message-source.ts'
import { KafkaReferenceSink } from '../../src/adapters/kafka/kafka-reference-sink.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import type { TopicPartition } from '../../src/pipeline/message-source.ts'
import { messageSourceContract, type SourcePlace } from '../contracts/message-source.contract.ts'
import { referenceSinkContract, type SinkPlace } from '../contracts/reference-sink.contract.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import type { RawRecord } from '../support/record-batch.ts'
import { runsOf } from '../support/record-runs.ts'

const POLL_MS = 50
const LARGE_BATCHES = { 'max.message.bytes': '4194304' }
const options = {
  brokers: inject('stack').kafka.brokers,
  clientId: 'conformance',
  requestTimeoutMs: 10_000,
}
let kafka: KafkaFixture
let admin: KafkaAdmin

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  admin = new KafkaAdmin(options)
  await admin.connect()
})

afterAll(async () => {
  await admin.close()
  await kafka.close()
})

const newName = () => `conformance-${randomUUID().slice(0, 8)}`

function sinkOf(groupId: string): KafkaReferenceSink {
  return new KafkaReferenceSink({ ...options, groupId, transactionTimeoutMs: 30_000 })
}

async function sinkPlace(): Promise<SinkPlace & { readonly groupId: string }> {
  const groupId = newName()
  const source = `${groupId}-source`
  const output = `${source}.sealed`
  for (const topic of [source, output]) await kafka.createTopic(topic, 2)
  const sink = sinkOf(groupId)
  /** Kafka answers a commit before its markers are written; whoever opens the lane waits for them. */
  const settled = async () => {
    for (const lane of [0, 1]) await (await sink.openLane(lane)).close()
  }
  return {
    ...{ groupId, source, output, sink },
    async visible(partition) {
      await settled()
      const records = await kafka.readAll(output)
      return records
        .filter((record) => record.partition === partition)
        .map(({ key, value }) => [key, value] as const)
    },
    async committed(partition) {
      await settled()
      return (await kafka.committed(groupId, source)).get(partition) ?? null
    },
  }
}

async function sourcePlace(): Promise<SourcePlace> {
  const groupId = newName()
  const [topic, appendTimeTopic] = [`${groupId}-a`, `${groupId}-b`]
  await kafka.createTopic(topic, 4, LARGE_BATCHES)
  await kafka.createTopic(appendTimeTopic, 4, {
    ...LARGE_BATCHES,
    'message.timestamp.type': 'LogAppendTime',
  })
  const members: KafkaMessageSource[] = []
  return {
    topic,
    appendTimeTopic,
    async member() {
      const settings = {
        ...{ groupId, topics: [topic, appendTimeTopic], lanes: 2, referenceTopicSuffix: '.sealed' },
        ...{ sessionTimeoutMs: 6_000, heartbeatIntervalMs: 200, fetchWaitMs: 50 },
        ...{
          fetchBytesMax: 16 * 2 ** 20,
          fetchBytesPerPartitionMax: 4 * 2 ** 20,
          fetchBytesMin: 1,
        },
      }
      const source = new KafkaMessageSource({ ...options, ...settings }, admin, 'cluster')
      members.push(source)
      return source
    },
    append: (at, records, codec) => kafka.append(at, records, codec),
    transaction,
    async truncate({ topic, partition }, offset) {
      const partitions = [{ partition, offset: String(offset) }]
      await kafka.admin.deleteTopicRecords({ topic, partitions })
    },
    async commit({ topic, partition }, offset) {
      const partitions = [{ partition, offset: String(offset) }]
      await kafka.admin.setOffsets({ groupId, topic, partitions })
    },
    async recreate(records) {
      await kafka.admin.deleteTopics({ topics: [topic] })
      while ((await kafka.admin.listTopics()).includes(topic)) await systemClock.sleep(POLL_MS)
      await kafka.createTopic(topic, 4, LARGE_BATCHES)
      await kafka.append({ topic, partition: 0 }, records)
    },
    async close() {
      await Promise.all(members.map((member) => member.stop()))
    },
  }
}

async function transaction(
  at: TopicPartition,
  records: readonly RawRecord[],
  isCommitted: boolean,
): Promise<Message[]> {
  const producer = await kafka.producer({ transactionalId: newName(), maxInFlightRequests: 1 })
  const open = await producer.transaction()
  const messages = records.map(({ key, value, timestampMs }) => ({
    ...{ key: key as Buffer, value: value as Buffer, timestamp: String(timestampMs) },
    partition: at.partition,
  }))
  const [sent] = await open.send({ topic: at.topic, messages })
  await (isCommitted ? open.commit() : open.abort())
  return records.map((record, i) => ({
    ...at,
    ...record,
    offset: Number(sent?.baseOffset) + i,
    timestampType: 'create',
  }))
}

messageSourceContract('kafkajs on a real broker', sourcePlace)
referenceSinkContract('kafkajs on a real broker', sinkPlace)

describe('opening a lane', () => {
  test('ends the transaction that its earlier writer left open; nothing of it is ever seen', async () => {
    const { groupId, output, source, sink, visible, committed } = await sinkPlace()
    const transactionalId = `sealstream-${groupId}-lane-0`
    const left = await kafka.producer({ transactionalId, maxInFlightRequests: 1 })
    const open = await left.transaction()
    const value = Buffer.from('left open')
    await open.send({ topic: output, messages: [{ value, partition: 0 }] })
    const topics = [{ topic: source, partitions: [{ partition: 0, offset: '9' }] }]
    await open.sendOffsets({ consumerGroupId: groupId, topics })
    const publisher = await sink.openLane(0)
    await publisher.publish(
      {
        records: [{ topic: output, partition: 0, runs: runsOf([Buffer.from('published')]) }],
        offsets: [{ topic: source, partition: 0, nextOffset: 1 }],
      },
      () => true,
    )
    await expect(open.commit()).rejects.toThrow()
    await publisher.close()
    expect((await visible(0)).map(([, value]) => String(value))).toEqual(['published'])
    expect(await committed(0)).toBe(1)
  })

  test('a partition that the output topic lacks is refused, and nothing published', async () => {
    const { output, source, sink, visible, committed } = await sinkPlace()
    const publisher = await sink.openLane(0)
    const runs = runsOf([Buffer.from('x')])
    const published = publisher.publish(
      {
        records: [0, 2].map((partition) => ({ topic: output, partition, runs })),
        offsets: [{ topic: source, partition: 0, nextOffset: 1 }],
      },
      () => true,
    )
    await expect(published).rejects.toMatchObject({ code: 'SEAL_KAFKA_REFUSED' })
    await publisher.close()
    await (await sink.openLane(0)).close()
    expect(await visible(0)).toEqual([])
    expect(await committed(0)).toBeNull()
  })
})
