import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { KafkaAdmin } from '../../src/adapters/kafka/kafka-admin.ts'
import { systemClock } from '../../src/clock.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'

const TOPIC = 'admin.orders'
const GROUP = 'admin'
const PARTITIONS = 4
const FOR_MS = 4_000
const admin = new KafkaAdmin({
  brokers: inject('stack').kafka.brokers,
  clientId: 'admin',
  requestTimeoutMs: 10_000,
})
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  for (const topic of [TOPIC, `${TOPIC}.sealed`]) await kafka.createTopic(topic, PARTITIONS)
  await admin.connect()
})

afterAll(async () => {
  await admin.close()
  await kafka.close()
})

/** kafkajs keeps the metadata of one call, and another call would take its own topic for an empty one. */
test('committed offsets and bounds are told in full while other topics are looked up', async () => {
  const places = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition }))
  const partitions = places.map(({ partition }) => ({ partition, offset: '0' }))
  await kafka.admin.setOffsets({ groupId: GROUP, topic: TOPIC, partitions })
  const untilMs = systemClock.elapsedMs() + FOR_MS
  const again = async (call: () => Promise<void>) => {
    while (systemClock.elapsedMs() < untilMs) await call()
  }
  const committed = async () => {
    const offsets = await admin.committedOffsets(GROUP, places)
    expect(offsets).toEqual(places.map((place) => ({ ...place, offset: 0 })))
  }
  const bounds = async () => expect((await admin.bounds(TOPIC)).size).toBe(PARTITIONS)
  const others = async () =>
    expect([...(await admin.partitionCounts([`${TOPIC}.sealed`])).values()]).toEqual([PARTITIONS])
  await Promise.all([again(committed), again(committed), again(bounds), again(others)])
})
