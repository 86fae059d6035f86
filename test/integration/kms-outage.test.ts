import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { createReader, type Reference } from '../../src/index.ts'
import { dekUsage } from '../support/dek-usage.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { ownStack } from '../support/own-stack.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

// The KMS is killed, so it must be one that nobody else needs.
const own = ownStack('kms-outage')
const PARTITIONS = 4
const WINDOW_MS = 1_000
const OUTAGE_FACTOR = 4
const AWAY_WINDOWS = 5
const MESSAGES_MAX = 5_000

/** A reader that forgets its keys after a while, as one in service does. */
function readerOf({ stack, prefix }: SealingPlace, ttlMs: number) {
  const { keyId, ...service } = stack.kms
  const kms = { ...service, allowedKeyIds: [keyId] }
  return createReader({ s3: { ...stack.s3, prefix }, kms, keyCache: { ttlMs } })
}

test('a KMS killed for five windows: sealing goes on to the hard limits, waits, and goes on by itself', async () => {
  const stack = own.endpoints
  const place = new SealingPlace('kms-outage', 1, undefined, stack)
  const kafka = await KafkaFixture.connect(stack.kafka.brokers)
  await kafka.createTopic(place.topic, PARTITIONS)
  const proxy = await TcpProxy.before(new URL(stack.kms.endpoint).host)
  const encryptor = new EncryptorProcess(
    place.config({
      'window.ageMs': `${WINDOW_MS}ms`,
      'window.messagesMax': MESSAGES_MAX,
      'window.outageFactor': OUTAGE_FACTOR,
      'segment.ageMs': '100ms',
      'kms.aws.endpoint': `http://${proxy.address}`,
    }),
  )
  await encryptor.ready()

  const messages: Message[] = []
  const shares: number[] = []
  let isOver = false
  const produce = async () => {
    while (!isOver) {
      const records = numberedRecords(100, `kms outage ${messages.length}`)
      messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 25)))
      shares.push(await encryptor.metric('sealstream_exposed_share'))
      await systemClock.sleep(50)
    }
  }
  const producing = produce()
  const published = () => encryptor.metric('sealstream_published_references_total')
  await encryptor.until('at work', async () => (await published()) > 1_000)
  const opened = (await kafka.references(place.topic))[0]?.reference as Reference
  const [warm, cold] = [readerOf(place, 60_000), readerOf(place, 60_000)]
  await warm.openReference(opened)

  process.kill(stack.processes.kms, 'SIGKILL')
  const killedAtMs = systemClock.elapsedMs()
  const atKill = await published()
  await encryptor.until('sealing on', async () => (await published()) > atKill + 500)
  await warm.openReference(opened)
  await expect(cold.openReference(opened)).rejects.toMatchObject({
    ...{ code: 'SEAL_KMS_UNAVAILABLE', retryable: true },
  })
  await encryptor.until('waiting', async () => (await encryptor.readiness())?.httpStatus === 503)
  const leftMs = killedAtMs + AWAY_WINDOWS * WINDOW_MS - systemClock.elapsedMs()
  await systemClock.sleep(Math.max(0, leftMs) + WINDOW_MS)
  const whileAway = await published()
  await systemClock.sleep(WINDOW_MS)
  expect(await published()).toBe(whileAway)

  // The emulator forgets its keys, and is given them again a moment after it answers: AWS does neither.
  await proxy.cut()
  await own.revive()
  await proxy.restore()
  await encryptor.until('on its way again', async () => (await published()) > whileAway + 500)
  await cold.openReference(opened)
  isOver = true
  await producing
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  expect(encryptor.logged(/^partitions assigned$/)).toHaveLength(1)
  expect((await encryptor.stop()).code).toBe(0)

  await expectSealedOnce(kafka, place, place.topic, messages)
  expect(Math.max(...shares)).toBeLessThanOrEqual(1)
  for (const { messages: sealed, openedAtMs } of await dekUsage(place)) {
    expect(sealed).toBeLessThanOrEqual(MESSAGES_MAX * OUTAGE_FACTOR)
    const spanMs = (openedAtMs.at(-1) ?? 0) - (openedAtMs[0] ?? 0)
    expect(spanMs).toBeLessThanOrEqual(WINDOW_MS * OUTAGE_FACTOR)
  }
  await Promise.all([warm.close(), cold.close(), kafka.close(), proxy.cut()])
  place.remove()
})
