import { randomInt } from 'node:crypto'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { S3ObjectInventory } from '../../src/adapters/s3/s3-object-inventory.ts'
import { S3ObjectStore } from '../../src/adapters/s3/s3-object-store.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { all } from '../contracts/mapping-store.contract.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const PARTITIONS = 4
const KILLS = 3
const MESSAGES_PER_START = 12_000
/** The shortest limits that there are; three times the longest is the least age of a sweep. */
const SHORT_LIMITS = {
  ...{ 'kafka.transactionTimeoutMs': '10s', 'kafka.requestTimeoutMs': '10s' },
  ...{ 's3.requestTimeoutMs': '10s', 'cassandra.requestTimeoutMs': '10s' },
  ...{ 'segment.publishWithinMs': '10s', 'segment.ageMs': '200ms', 'segment.messagesMax': 2_000 },
  'kafka.fetchBytesPerPartitionMax': '64KiB',
}
const AGE_MS = 30_000
const AGE = '30s'

const place = new SealingPlace('sweep')
const s3 = { ...place.stack.s3, forcePathStyle: true, requestTimeoutMs: 30_000 }
const inventory = new S3ObjectInventory(s3)
const store = new S3ObjectStore(s3)
const cassandra = new Client({
  contactPoints: [...place.stack.cassandra.contactPoints],
  localDataCenter: place.stack.cassandra.localDatacenter,
})
const messages: Message[] = []
let kafka: KafkaFixture
let config: string

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  await kafka.ends(place.topic)
  config = place.config(SHORT_LIMITS)
})

afterAll(async () => {
  await Promise.all([kafka.close(), inventory.close(), store.close(), cassandra.shutdown()])
  place.remove()
})

interface SweptSegment {
  readonly object: string
  readonly verdict: string
}

async function append(count: number): Promise<void> {
  const records = numberedRecords(count, `sweep ${messages.length}`)
  messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 1_000)))
}

async function sweep(...more: string[]) {
  const args = ['sweep', '--config', config, '--older-than', AGE, '--json', ...more]
  const { code, stdout, stderr } = await runCommand(args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as {
    readonly segments: readonly SweptSegment[]
    readonly young: number
    readonly wouldRemove: { readonly objects: number; readonly uploads: number }
    readonly done: { readonly objects: number; readonly uploads: number } | null
  }
}

const objectKeys = async () =>
  (await all(inventory.objects(`${place.prefix}/segments/`))).map(({ key }) => key)
const uploadKeys = async () =>
  (await all(inventory.uploads(`${place.prefix}/segments/`))).map(({ key }) => key)
const namedKeys = async () =>
  new Set((await kafka.references(place.topic)).map(({ reference }) => reference.object))
const register = async () => {
  const query = `SELECT object_key, created_at, published_at, swept_at FROM ${place.keyspace}.segments_by_dek`
  return (await cassandra.execute(query)).rows
}

/** Encryptors that are killed in mid-run, each with work before it. */
async function killSome(): Promise<void> {
  for (let kill = 1; kill <= KILLS; kill++) {
    await append(MESSAGES_PER_START)
    const encryptor = new EncryptorProcess(config)
    await encryptor.until(
      'at work',
      async () => (await encryptor.metric('sealstream_packed_messages_total')) > 0,
    )
    await systemClock.sleep(randomInt(400))
    encryptor.kill('SIGKILL')
    await encryptor.ended
  }
}

test('a sweep takes exactly what killed encryptors left, beside one that runs', async () => {
  await killSome()
  const encryptor = new EncryptorProcess(config)
  const isDone = async () =>
    kafka.hasReached(place.groupId, place.topic, await kafka.ends(place.topic))
  await encryptor.until('done', isDone)

  // What a kill in the midst of a large upload leaves, and what one before the mark does.
  const named = await namedKeys()
  const rows = await register()
  const dead = rows.filter(({ object_key }) => !named.has(object_key))
  expect(dead.length).toBeGreaterThan(0)
  await store.createUpload(dead[0]?.object_key, {})
  const marked = rows.find(({ object_key }) => named.has(object_key))
  await cassandra.execute(
    `DELETE published_at FROM ${place.keyspace}.segments_by_dek WHERE dek_id = ? AND segment_id = ?`,
    await keyOf(marked?.object_key),
    { prepare: true },
  )
  await store.createUpload(`${place.prefix}/segments/${place.topic}/stray.seal`, {})

  // All of it grows old; then new messages come, and what they make is young.
  const oldAtMs = systemClock.nowMs() + AGE_MS + 2_000
  while (systemClock.nowMs() < oldAtMs) await systemClock.sleep(500)
  await append(2_000)
  const before = { objects: await objectKeys(), uploads: await uploadKeys() }
  const orphans = before.objects.filter((key) => dead.some(({ object_key }) => object_key === key))

  const dry = await sweep()
  const verdicts = new Set(dry.segments.map(({ verdict }) => verdict))
  expect(verdicts).toEqual(new Set(['orphan', 'published']))
  expect(objectsOf(dry, 'orphan')).toEqual(dead.map(({ object_key }) => object_key).toSorted())
  expect(objectsOf(dry, 'published')).toEqual([marked?.object_key])
  expect(dry.wouldRemove).toMatchObject({ objects: orphans.length, uploads: 1 })
  expect(dry.done).toBeNull()
  const after = { objects: await objectKeys(), uploads: await uploadKeys() }
  expect(after.objects).toEqual(expect.arrayContaining(before.objects))
  expect(after.uploads).toEqual(expect.arrayContaining(before.uploads))
  expect((await register()).every(({ swept_at }) => swept_at === null)).toBe(true)

  const swept = await sweep('--yes')
  expect(swept.done).toMatchObject({ objects: orphans.length, uploads: 1, marked: 1 })
  expect(await uploadKeys()).toEqual([`${place.prefix}/segments/${place.topic}/stray.seal`])
  const left = new Set(await objectKeys())
  for (const key of before.objects)
    expect([key, left.has(key)]).toEqual([key, !orphans.includes(key)])

  await encryptor.until('done', isDone)
  expect((await encryptor.stop()).code).toBe(0)
  await expectSealedOnce(kafka, place, place.topic, messages)
  expect(new Set(await objectKeys())).toEqual(await namedKeys())
  const second = await sweep('--yes')
  expect(second.segments).toEqual([])
  expect(second.done).toMatchObject({ objects: 0, uploads: 0, segments: 0 })
}, 240_000)

test('a sweep of what is too young for its configuration is refused, with the least age', async () => {
  const { code, stderr } = await runCommand(['sweep', '--config', config, '--older-than', '29s'])
  expect(code).toBe(2)
  expect(stderr).toContain('30s')
})

function objectsOf({ segments }: { readonly segments: readonly SweptSegment[] }, verdict: string) {
  return segments
    .filter((one) => one.verdict === verdict)
    .map(({ object }) => object)
    .toSorted()
}

async function keyOf(objectKey: string) {
  const query = `SELECT dek_id, segment_id, object_key FROM ${place.keyspace}.segments_by_dek`
  const row = (await cassandra.execute(query)).rows.find((one) => one.object_key === objectKey)
  return [row?.dek_id, row?.segment_id]
}
