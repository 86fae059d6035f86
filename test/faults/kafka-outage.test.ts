import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { ownStack } from '../support/own-stack.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

// The broker is killed, so it must be one that nobody else needs.
const own = ownStack('kafka-outage')
const PARTITIONS = 4
const AWAY_MS = 4_000

test('a broker that is killed in mid-run is waited for; nothing is lost or doubled', async () => {
  const stack = own.endpoints
  const place = new SealingPlace('kafka-outage', 1, undefined, stack)
  const before = await KafkaFixture.connect(stack.kafka.brokers)
  await before.createTopic(place.topic, PARTITIONS)
  const messages: Message[] = []
  const append = async (kafka: KafkaFixture, count: number) => {
    const records = numberedRecords(count, `kafka outage ${messages.length}`)
    messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records)))
  }
  await append(before, 30_000)
  const changes = { 'segment.messagesMax': 1_000, 'kafka.requestTimeoutMs': '5s' }
  const encryptor = new EncryptorProcess(place.config(changes))
  await encryptor.until(
    'in mid-run',
    async () => (await encryptor.metric('sealstream_published_references_total')) > 3_000,
  )
  process.kill(stack.processes.kafka, 'SIGKILL')
  await before.close()
  await encryptor.until('waiting', async () => (await encryptor.readiness())?.httpStatus === 503)
  await systemClock.sleep(AWAY_MS)
  expect(encryptor.isRunning).toBe(true)

  await own.revive()
  const after = await KafkaFixture.connect(stack.kafka.brokers)
  await append(after, 5_000)
  const ends = await after.ends(place.topic)
  await encryptor.until('done', () => after.hasReached(place.groupId, place.topic, ends))
  await encryptor.ready()
  expect((await encryptor.stop()).code).toBe(0)
  await expectSealedOnce(after, place, place.topic, messages)
  await after.close()
  place.remove()
})
