import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const PARTITIONS = 2
const MESSAGES = 4_000
const DAY_MS = 86_400_000
const AGED_MS = 40 * DAY_MS

const place = new SealingPlace('scheduled', 2)
const cassandra = new Client({
  contactPoints: [...place.stack.cassandra.contactPoints],
  localDataCenter: place.stack.cassandra.localDatacenter,
})
const sent = new Map<string, Message[]>()
let kafka: KafkaFixture
let config: string

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  config = place.config({ 'segment.messagesMax': 500 })
  for (const topic of place.topics) {
    await kafka.createTopic(topic, PARTITIONS)
    const records = numberedRecords(MESSAGES, topic)
    sent.set(topic, await kafka.appendMany(topic, PARTITIONS, records, 500))
  }
  const encryptor = new EncryptorProcess(config)
  await encryptor.until('done', async () => {
    const reached = place.topics.map(async (topic) =>
      kafka.hasReached(place.groupId, topic, await kafka.ends(topic)),
    )
    return (await Promise.all(reached)).every(Boolean)
  })
  expect(await encryptor.stop()).toMatchObject({ code: 0 })
})

afterAll(async () => {
  await Promise.all([kafka.close(), cassandra.shutdown()])
  place.remove()
})

async function json(...args: string[]) {
  const { code, stdout, stderr } = await runCommand([...args, '--json', '--config', config])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}
const status = () => json('reencrypt', 'status', '--older-than', '30d')
const rows = async (query: string) =>
  (await cassandra.execute(query, [], { prepare: true, fetchSize: 100_000 })).rows

/** Puts every DEK on record as made so long ago; nothing but the look-ups by age goes by it. */
async function age(): Promise<void> {
  const table = `${place.keyspace}.deks_by_domain`
  for (const row of await rows(`SELECT * FROM ${table}`)) {
    const createdAt = new Date(row.created_at.getTime() - AGED_MS)
    const day = createdAt.toISOString().slice(0, 10)
    const { key_domain, dek_id, kek_id, kek_version } = row
    const write = (query: string, params: unknown[]) =>
      cassandra.execute(query, params, { prepare: true })
    await write(
      `INSERT INTO ${table} (key_domain, day, created_at, dek_id, kek_id, kek_version) VALUES (?, ?, ?, ?, ?, ?)`,
      [key_domain, day, createdAt, dek_id, kek_id, kek_version],
    )
    await write(`DELETE FROM ${table} WHERE key_domain = ? AND day = ? AND created_at = ?`, [
      ...[key_domain, row.day, row.created_at],
    ])
    await write(
      `INSERT INTO ${place.keyspace}.look_up_days (kind, name, day, part) VALUES ('domain', ?, ?, 0)`,
      [key_domain, day],
    )
  }
}

test('data under old keys comes under new ones by itself, with one encryptor dying over it', async () => {
  const [topic] = place.topics as [string]
  const { plan } = await json('reencrypt', '--topic', topic, '--partition', '0')
  expect(plan).toMatchObject({ deks: 1, newDeks: 1, kmsCalls: 2, isComplete: true })
  expect(plan.s3Writes).toBe(plan.segments * 2)
  expect(plan.costUsd).toBeGreaterThan(0)
  expect((await status()).domains).toEqual([])

  await age()
  const due = (await status()).domains
  expect(due.map(({ keyDomain }: { keyDomain: string }) => keyDomain).sort()).toEqual(
    [...place.topics].sort(),
  )
  const total = due.reduce((sum: number, one: { due: { segments: number } }) => {
    return sum + one.due.segments
  }, 0)
  const { plan: aged } = await json('reencrypt', '--older-than', '30d')
  expect(aged).toMatchObject({ segments: total, messages: 2 * MESSAGES })

  const scheduled = place.config({
    ...{ 'segment.messagesMax': 500, 'reencryption.schedule.olderThanDays': 30 },
  })
  const dying = new EncryptorProcess(scheduled)
  const living = new EncryptorProcess(scheduled)
  const left = async () => {
    const { domains } = await status()
    return domains.reduce(
      (sum: number, one: Record<'due' | 'running', { segments: number }>) =>
        sum + one.due.segments + one.running.segments,
      0,
    )
  }
  await living.until('some of it is done', async () => (await left()) < total)
  dying.kill('SIGKILL')
  await living.until('all of it is done', async () => (await left()) === 0)
  expect(await living.stop()).toMatchObject({ code: 0 })

  const { domains, latest } = await status()
  const done = domains.map((one: { done: { segments: number } }) => one.done.segments)
  expect(done.reduce((sum: number, segments: number) => sum + segments, 0)).toBe(total)
  // By then it may have been counted again.
  expect(latest).toMatchObject({ olderThanMs: 30 * DAY_MS })
  const last = await rows(
    `SELECT DISTINCT dek_id, segment_id, key_rotation_status FROM ${place.keyspace}.message_encryption_map`,
  )
  expect(new Set(last.map((row) => row.key_rotation_status))).toEqual(new Set(['replaced']))
  for (const name of place.topics) {
    await expectSealedOnce(kafka, place, name, sent.get(name) as Message[])
  }
})
