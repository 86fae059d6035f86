import { describe, expect, test } from 'vitest'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { sealingScene } from '../support/sealing-scene.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const PARTITIONS = 4
const DRAIN_MS_MAX = 30_000
const shared = sealingScene()

describe('SIGTERM', () => {
  test('in mid-run publishes what was read and ends with 0; the next start seals the rest', async () => {
    const place = await shared.newPlace('drain', PARTITIONS)
    const records = numberedRecords(20_000, 'drain')
    const appending = shared.kafka.appendMany(place.topic, PARTITIONS, records, 250)
    const config = place.config({ 'kafka.fetchBytesPerPartitionMax': '64KiB' })
    const encryptor = new EncryptorProcess(config)
    await encryptor.until(
      'at work',
      async () => (await encryptor.metric('sealstream_packed_messages_total')) > 0,
    )
    const first = await encryptor.stop()
    expect(first).toMatchObject({ code: 0, stdout: '' })
    expect(first.elapsedMs).toBeLessThan(DRAIN_MS_MAX)
    expect(first.stderr).toMatch(/"msg":"stopped"}\n$/)

    const late = numberedRecords(1_000, 'late')
    const messages = [
      ...(await appending),
      ...(await shared.kafka.appendMany(place.topic, PARTITIONS, late)),
    ]
    const committed = await shared.kafka.committed(place.groupId, place.topic)
    const done = messages.filter(
      ({ partition, offset }) => offset < (committed.get(partition) ?? 0),
    )
    expect(done.length).toBeGreaterThan(0)
    expect(done.length).toBeLessThan(messages.length)
    await expectSealedOnce(shared.kafka, place, place.topic, done)

    const next = new EncryptorProcess(config)
    const ends = await shared.kafka.ends(place.topic)
    await next.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    expect((await next.stop()).code).toBe(0)
    await expectSealedOnce(shared.kafka, place, place.topic, messages)
  })

  test('a second time ends the process at once, and what was not published is sealed later', async () => {
    const place = await shared.newPlace('hurry', PARTITIONS)
    const { endpoint } = place.stack.s3
    const s3 = await TcpProxy.before(new URL(endpoint).host)
    const changes = { 's3.endpoint': `http://${s3.address}` }
    const encryptor = new EncryptorProcess(place.config({ ...changes, 'segment.ageMs': '1m' }))
    await encryptor.ready()
    const messages = await shared.kafka.appendMany(
      place.topic,
      PARTITIONS,
      numberedRecords(100, 'hurry'),
    )
    await encryptor.until(
      'packed',
      async () => (await encryptor.metric('sealstream_packed_messages_total')) === messages.length,
    )
    await s3.cut()
    encryptor.kill('SIGTERM')
    await encryptor.until('waiting', () => encryptor.logged(/^waiting for s3/).length > 0)
    expect(encryptor.logged(/^stopping/)).toHaveLength(1)
    encryptor.kill('SIGTERM')
    expect(await encryptor.ended).toMatchObject({ code: 143 })
    expect(await shared.kafka.readAll(`${place.topic}.sealed`)).toEqual([])

    await s3.restore()
    const next = new EncryptorProcess(place.config(changes))
    const ends = await shared.kafka.ends(place.topic)
    await next.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    expect((await next.stop()).code).toBe(0)
    await s3.cut()
    await expectSealedOnce(shared.kafka, place, place.topic, messages)
  })
})
