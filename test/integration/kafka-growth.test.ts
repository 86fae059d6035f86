import { afterAll, beforeAll, expect, test } from 'vitest'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const place = new SealingPlace('kafka-growth')
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, 2)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

test('partitions that a topic gains are sealed without a restart', async () => {
  const messages = await kafka.appendMany(place.topic, 2, numberedRecords(20, 'before'), 10)
  const config = place.config()
  const first = new EncryptorProcess(config)
  await first.until('done', () =>
    kafka.hasReached(
      place.groupId,
      place.topic,
      new Map([
        [0, 10],
        [1, 10],
      ]),
    ),
  )
  await kafka.admin.createPartitions({ topicPartitions: [{ topic: place.topic, count: 4 }] })
  messages.push(...(await kafka.appendMany(place.topic, 4, numberedRecords(40, 'after'), 10)))
  // Whoever joins makes the group look at its topics; else it does every five minutes.
  const second = new EncryptorProcess(config)
  const ends = await kafka.ends(place.topic)
  await second.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  expect([(await first.stop()).code, (await second.stop()).code]).toEqual([0, 0])
  await expectSealedOnce(kafka, place, place.topic, messages)
})
