import { Client, type types } from 'cassandra-driver'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { withSweepPorts } from '../../src/compose/sweep.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { planSweep } from '../../src/incident/sweep-plan.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { expectVerified } from '../support/verified.ts'

const PARTITIONS = 3
const COUNT = 6_000
const MINUTE_MS = 60_000
/** Small segments, so that a kill leaves some of them at every step; short windows, so that there are DEKs. */
const SETTINGS = {
  ...{ 'segment.messagesMax': 500, 'window.messagesMax': 2_000 },
  'kafka.fetchBytesPerPartitionMax': '64KiB',
}

const place = new SealingPlace('rebuild')
const cassandra = new Client({
  contactPoints: [...place.stack.cassandra.contactPoints],
  localDataCenter: place.stack.cassandra.localDatacenter,
})
let kafka: KafkaFixture
let config: string
let before: Content

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  await kafka.appendMany(place.topic, PARTITIONS, numberedRecords(COUNT, 'plain'), 500)
  config = place.config(SETTINGS)
  const killed = new EncryptorProcess(config)
  const packed = async () => (await killed.metric('sealstream_packed_messages_total')) > 0
  await killed.until('at work', packed)
  await systemClock.sleep(150)
  killed.kill('SIGKILL')
  await killed.ended
  const encryptor = new EncryptorProcess(config)
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  expect((await encryptor.stop()).code).toBe(0)
  before = await contentOf()
})

afterAll(async () => {
  await Promise.all([kafka.close(), cassandra.shutdown()])
  place.remove()
})

interface Content {
  readonly deks: unknown
  /** What is published, with its rows, by object. */
  readonly published: ReadonlyMap<string, unknown>
}

const select = async (query: string, params: unknown[] = []): Promise<types.Row[]> =>
  (await cassandra.execute(query, params, { prepare: true, fetchSize: 100_000 })).rows
const text = (value: unknown) => JSON.stringify(value)
const sorted = (rows: readonly unknown[]) => rows.map(text).toSorted()

/** All that the tables say, with times to the minute and without those of the marks. */
async function contentOf(): Promise<Content> {
  const { keyspace } = place
  const published = new Map<string, unknown>()
  for (const row of await select(`SELECT * FROM ${keyspace}.segments_by_dek`)) {
    if (row.published_at === null) continue
    const { dek_id, segment_id, object_key, created_at, message_count, bytes } = row
    const rows = await select(
      `SELECT topic, partition, offset, position, length, object_path, key_rotation_status FROM ${keyspace}.message_encryption_map WHERE dek_id = ? AND segment_id = ?`,
      [dek_id, segment_id],
    )
    expect(rows).toHaveLength(message_count)
    const minute = Math.floor(created_at.getTime() / MINUTE_MS)
    const segment = [dek_id, segment_id, minute, message_count, bytes, row.sealed_at !== null]
    published.set(object_key, [text(segment), sorted(rows)])
  }
  const tables = ['deks', 'deks_by_kek', 'kek_days']
  const deks = tables.map(async (table) =>
    sorted(await select(`SELECT * FROM ${keyspace}.${table}`)),
  )
  return { deks: await Promise.all(deks), published }
}

async function run(...args: string[]) {
  const ended = await runCommand([...args, '--config', config, '--json'])
  expect(ended.stderr).toBe('')
  return { code: ended.code, answer: JSON.parse(ended.stdout) }
}

const namedKeys = async () =>
  new Set((await kafka.references(place.topic)).map(({ reference }) => reference.object))

/** What a sweep would take, were everything old. */
async function orphans(): Promise<string[]> {
  const loaded = loadConfig({ file: config, env: {} })
  return withSweepPorts(loaded.config, async (ports) => {
    const scope = { prefix: place.prefix, domains: null, ageMs: 0, onProgress: () => {} }
    const plan = await planSweep(ports, { ...scope, signal: new AbortController().signal })
    const taken = plan.items.filter(({ verdict }) => verdict === 'orphan')
    return taken.map(({ segment }) => segment.objectKey)
  })
}

const nothing = { deks: 0, segments: 0, messages: 0 }

test('a keyspace that was dropped comes back from the bucket, equal to what it was', async () => {
  expect([...before.published.keys()].toSorted()).toEqual([...(await namedKeys())].toSorted())
  expect(before.published.size).toBeGreaterThan(10)
  await cassandra.execute(`DROP KEYSPACE ${place.keyspace}`)
  const { code, answer } = await run('rebuild-index')
  expect([code, answer.left, answer.isComplete]).toEqual([0, 0, true])
  expect(answer.publications.named).toBe(before.published.size)
  expect(answer.written.segments).toBe(answer.store.versions)
  const after = await contentOf()
  expect(after.deks).toEqual(before.deks)
  for (const [object, segment] of before.published) {
    expect([object, after.published.get(object)]).toEqual([object, segment])
  }
  const dry = await run('rebuild-index', '--dry-run')
  expect([dry.code, dry.answer.left, dry.answer.written]).toEqual([0, 0, nothing])
}, 60_000)

test('verify, impact and its proof, and the sweep, work on with it', async () => {
  await expectVerified(place, { config })
  const kek = place.kms.allowedKeyIds[0] as string
  const proof = await run('impact', '--kek', kek, '--prove')
  expect([proof.code, proof.answer.isProven]).toEqual([0, true])
  const named = await namedKeys()
  expect((await orphans()).filter((key) => named.has(key))).toEqual([])
}, 60_000)

test('parts that are lost are told, and put right; without Kafka all that is there is kept', async () => {
  const { keyspace } = place
  const [segment, other] = await select(`SELECT * FROM ${keyspace}.segments_by_dek`)
  const where = 'WHERE dek_id = ? AND segment_id = ?'
  const key = [segment?.dek_id, segment?.segment_id]
  await select(`DELETE FROM ${keyspace}.message_encryption_map ${where} AND topic = ?`, [
    ...[...key, place.topic],
  ])
  await select(`DELETE FROM ${keyspace}.segments_by_dek ${where}`, [
    ...[other?.dek_id, other?.segment_id],
  ])
  await select(`DELETE FROM ${keyspace}.kek_days WHERE kek_name = ?`, [place.kms.allowedKeyIds[0]])
  const dekId = String(segment?.dek_id)
  expect((await run('impact', '--dek', dekId, '--prove')).code).toBe(5)
  const dry = await run('rebuild-index', '--dry-run')
  expect(dry.code).toBe(5)
  expect(dry.answer.found).toMatchObject({ missingSegment: 1 })
  expect(dry.answer.found.missingRow).toBe(segment?.message_count + other?.message_count)
  expect((await run('rebuild-index', '--no-kafka')).code).toBe(0)
  expect((await run('impact', '--dek', dekId, '--prove')).code).toBe(0)
  // What references name is kept in either way, and here also what nobody may tell of any more.
  expect(await orphans()).toEqual([])
}, 60_000)
