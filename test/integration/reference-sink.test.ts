import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { KafkaReferenceSink } from '../../src/adapters/kafka/kafka-reference-sink.ts'
import { isSealError } from '../../src/errors.ts'
import type { LanePublisher, Publication } from '../../src/pipeline/reference-sink.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'

const SOURCE = 'reference-sink'
const TOPIC = `${SOURCE}.sealed`
let kafka: KafkaFixture
const opened: LanePublisher[] = []
const inTime = () => true

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(SOURCE, 1)
  await kafka.createTopic(TOPIC, 1)
})

afterAll(async () => {
  await Promise.all(opened.map((publisher) => publisher.close()))
  await kafka.close()
})

/** A process of its own would open the lane just like that: the lane's id is all that they share. */
async function openLane(): Promise<LanePublisher> {
  const { brokers } = inject('stack').kafka
  const sink = new KafkaReferenceSink({
    ...{ brokers, clientId: 'test', requestTimeoutMs: 10_000 },
    ...{ groupId: 'reference-sink', transactionTimeoutMs: 10_000 },
  })
  const publisher = await sink.openLane(0)
  opened.push(publisher)
  return publisher
}

function publicationOf(text: string, nextOffset: number): Publication {
  return {
    records: [{ topic: TOPIC, partition: 0, values: [Buffer.from(text)] }],
    offsets: [{ topic: SOURCE, partition: 0, nextOffset }],
  }
}

test('who opens a lane fences its earlier writer at once, before publishing anything itself', async () => {
  const first = await openLane()
  await first.publish(publicationOf('of the first', 1), inTime)
  const second = await openLane()
  const failure = await first.publish(publicationOf('too late', 2), inTime).catch((error) => error)
  expect(isSealError(failure, 'SEAL_FENCED')).toBe(true)
  await second.publish(publicationOf('of the second', 2), inTime)
  const values = (await kafka.readAll(TOPIC)).map(({ value }) => value.toString())
  expect(values).toEqual(['of the first', 'of the second'])
})
