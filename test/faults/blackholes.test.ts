import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { EncryptorProcess } from '../support/encryptor-process.ts'
import { EncryptorProcess as Encryptor } from '../support/encryptor-process.ts'
import { faultBench } from '../support/fault-bench.ts'
import { numberedRecords } from '../support/records.ts'
import { proveSealedOnce, untilSealed } from '../support/seal-under-fault.ts'
import type { ConfigChanges, SealingPlace } from '../support/sealing-place.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { kafkaProtocol } from '../support/wire-protocols.ts'

// Connections stay, and nothing passes: a cable that was pulled, a firewall that forgot.

const bench = faultBench()
const PARTITIONS = 2

/** Seals some, goes on while nothing passes in either direction, and seals the rest afterwards. */
async function blackhole(
  place: SealingPlace,
  proxy: TcpProxy,
  changes: ConfigChanges,
  awayMs: number,
  during: (encryptor: EncryptorProcess) => Promise<void>,
): Promise<EncryptorProcess> {
  const { kafka } = bench
  await kafka.createTopic(place.topic, PARTITIONS)
  const append = (label: string) =>
    kafka.appendMany(place.topic, PARTITIONS, numberedRecords(500, label), 50)
  const messages = await append('before')
  const encryptor = new Encryptor(place.config(changes))
  await untilSealed(bench, place, encryptor)
  proxy.hold('requests', 'answers')
  messages.push(...(await append('meanwhile')))
  const overAtMs = systemClock.elapsedMs() + awayMs
  await during(encryptor)
  await systemClock.sleep(Math.max(0, overAtMs - systemClock.elapsedMs()))
  expect(encryptor.isRunning).toBe(true)
  proxy.release()
  messages.push(...(await append('after')))
  await untilSealed(bench, place, encryptor)
  await encryptor.ready()
  expect((await encryptor.stop()).code).toBe(0)
  await proveSealedOnce(bench, place, messages)
  return encryptor
}

const waitingFor = (service: string) => (encryptor: EncryptorProcess) =>
  encryptor.until(`waiting for ${service}`, async () => {
    const readiness = await encryptor.readiness()
    return readiness?.reasons.some((reason) => reason.includes(service)) === true
  })

test('Kafka for 45 s, longer than the session: the lanes are opened again, nothing is lost or doubled', async () => {
  const place = bench.newPlace('hole-kafka')
  const proxy = await bench.beforeTcp(bench.broker, { protocol: kafkaProtocol })
  const changes = { 'kafka.brokers': [proxy.address], 'kafka.requestTimeoutMs': '5s' }
  await blackhole(place, proxy, changes, 45_000, waitingFor('kafka'))
})

test('Cassandra for 20 s, longer than the session of the group: reading waits, and the membership stays', async () => {
  const place = bench.newPlace('hole-cassandra')
  const proxy = await bench.beforeTcp(bench.node)
  const changes = {
    'cassandra.contactPoints': [proxy.address],
    'cassandra.requestTimeoutMs': '2s',
  }
  const encryptor = await blackhole(place, proxy, changes, 20_000, waitingFor('cassandra'))
  expect(encryptor.logged(/^partitions assigned$/)).toHaveLength(1)
})

test('S3 for 10 s: what was under way is sent again', async () => {
  const place = bench.newPlace('hole-s3')
  const proxy = await bench.beforeTcp(bench.stack.s3.endpoint)
  const changes = { 's3.endpoint': `http://${proxy.address}`, 's3.requestTimeoutMs': '2s' }
  const encryptor = await blackhole(place, proxy, changes, 10_000, waitingFor('s3'))
  expect(encryptor.logged(/^partitions assigned$/)).toHaveLength(1)
})

test('a KMS that hangs: sealing goes on under the key in use to its hard limits, and then waits', async () => {
  const place = bench.newPlace('hole-kms')
  const proxy = await bench.beforeTcp(bench.stack.kms.endpoint)
  const changes = {
    'kms.aws.endpoint': `http://${proxy.address}`,
    'kms.requestTimeoutMs': '3s',
    // The key in use and the one made ahead are worn out by what comes meanwhile.
    'window.messagesMax': 100,
    'window.outageFactor': 1,
    'segment.messagesMax': 50,
  }
  await blackhole(place, proxy, changes, 10_000, waitingFor('kms'))
})

test('a KMS that takes 3 s for a key: windows turn without a wait, for the next key is there before', async () => {
  const place = bench.newPlace('slow-kms')
  const proxy = await bench.beforeHttp(bench.stack.kms.endpoint)
  proxy.rule = ({ target }) => (target === 'GenerateDataKey' ? { kind: 'slow', ms: 3_000 } : null)
  const { kafka } = bench
  await kafka.createTopic(place.topic, PARTITIONS)
  const windowMs = 20_000
  const changes = {
    'kms.aws.endpoint': proxy.url,
    'window.ageMs': `${windowMs}ms`,
    'segment.ageMs': '100ms',
  }
  const encryptor = new Encryptor(place.config(changes))
  await encryptor.ready()
  const untilMs = systemClock.elapsedMs() + 2.5 * windowMs
  const messages = []
  while (systemClock.elapsedMs() < untilMs) {
    const records = numberedRecords(10, `slow ${messages.length}`)
    messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 5)))
    await systemClock.sleep(100)
  }
  await untilSealed(bench, place, encryptor)
  expect(await encryptor.metric('sealstream_kms_calls_total')).toBeGreaterThan(3)
  expect(encryptor.logged(/^waiting for kms$/)).toEqual([])
  expect((await encryptor.stop()).code).toBe(0)
  await proveSealedOnce(bench, place, messages)
})
