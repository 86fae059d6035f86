import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CassandraConnection,
  connectCassandra,
} from '../../src/adapters/cassandra/connection.ts'
import { uuidBytes } from '../../src/adapters/cassandra/ids.ts'
import { CassandraKeyEventLog } from '../../src/adapters/cassandra/key-event-log.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import type { InstanceKeys } from '../../src/keys/key-desk.ts'
import type { KeyEvent } from '../../src/keys/key-events.ts'
import type { InstanceReport } from '../../src/keys/rotation.ts'
import { all } from '../contracts/mapping-store.contract.ts'
import { dekUsage } from '../support/dek-usage.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const PARTITIONS = 6
const place = new SealingPlace('keys')
const messages: Message[] = []
let kafka: KafkaFixture
let config: string
let connection: CassandraConnection
let encryptors: EncryptorProcess[]
let isOver = false
/** That of the process that was killed: nobody told of its last use. */
let killedDek = ''
let producing: Promise<void>

interface Answer {
  readonly isComplete: boolean
  readonly instances: readonly InstanceReport[]
}

async function produce(): Promise<void> {
  for (let turn = 0; !isOver; turn++) {
    const records = numberedRecords(120, `keys ${turn}`)
    messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 20)))
    await systemClock.sleep(50)
  }
}

async function keys(...args: string[]) {
  const ending = await runCommand(['keys', ...args, '--config', config])
  return { ...ending, json: <T>() => JSON.parse(ending.stdout) as T }
}

async function inUse(): Promise<readonly InstanceKeys[]> {
  return (await keys('list', '--json')).json<{ instances: InstanceKeys[] }>().instances
}

/** Resolves to the running instances when each of them uses a DEK. */
async function allAtWork(count: number): Promise<readonly InstanceKeys[]> {
  let instances: readonly InstanceKeys[] = []
  await (encryptors[0] as EncryptorProcess).until('at work with all others', async () => {
    instances = await inUse()
    return (
      instances.length === count &&
      instances.every(({ keys: [key] }) => key !== undefined && key.messages > 0)
    )
  })
  return instances
}

const eventsOf = (dekId: string): Promise<KeyEvent[]> =>
  all(new CassandraKeyEventLog(connection).eventsOf(dekId))

/** When segments under the DEK were sealed, by the mapping. */
async function sealedAtMs(dekId: string): Promise<number[]> {
  const query = 'SELECT sealed_at FROM segments_by_dek WHERE dek_id = ?'
  const { rows } = await connection.execute(query, [uuidBytes(dekId)])
  return rows
    .filter((row) => row.sealed_at !== null)
    .map((row) => (row.sealed_at as Date).getTime())
}

/** The DEK that an instance used when it was looked at. */
const dekOf = (instance: InstanceKeys | undefined) => instance?.keys[0]?.dekId as string
const reportOf = ({ instances }: Answer, { instanceId }: InstanceKeys) =>
  instances.find((one) => one.instanceId === instanceId) as InstanceReport

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  config = place.config({ 'kafka.lanes': PARTITIONS })
  encryptors = [new EncryptorProcess(config)]
  await encryptors[0]?.ready()
  encryptors.push(new EncryptorProcess(config))
  await encryptors[1]?.ready()
  const { contactPoints, localDatacenter } = place.stack.cassandra
  const { keyspace } = place
  connection = await connectCassandra({
    ...{ contactPoints, localDatacenter, keyspace, requestTimeoutMs: 10_000 },
  })
  producing = produce()
})

afterAll(async () => {
  isOver = true
  await producing
  await connection?.close()
  await kafka.close()
  place.remove()
})

describe('the keys of two encryptors under load', () => {
  test('are all retired by rotate-now, and nothing is sealed under them afterwards', async () => {
    const before = await allAtWork(2)
    const { code, json, stderr } = await keys(
      ...['rotate-now', '--reason', 'drill', '--domain', place.topic, '--json', '--timeout', '30'],
    )
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const answer = json<Answer>()
    expect(answer.isComplete).toBe(true)
    const after = await allAtWork(2)
    for (const instance of before) {
      const dekId = dekOf(instance)
      const report = reportOf(answer, instance)
      expect(report.standing).toBe('retired')
      const retired = report.retired.find((key) => key.dekId === dekId)
      const lastUsedAtMs = retired?.lastUsedAtMs ?? 0
      expect(lastUsedAtMs).toBeGreaterThan(0)
      expect(after.flatMap(({ keys: now }) => now.map((key) => key.dekId))).not.toContain(dekId)

      const sealed = await sealedAtMs(dekId)
      expect(sealed.length).toBeGreaterThan(0)
      expect(Math.max(...sealed)).toBeLessThanOrEqual(lastUsedAtMs)

      const events = await eventsOf(dekId)
      expect(events.map(({ kind }) => kind)).toEqual([
        ...['created', 'wrapped', 'first-use', 'last-use', 'retired'],
      ])
      expect(events.map(({ atMs }) => atMs)).toEqual(
        events.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
      )
      expect(new Set(events.map(({ actor }) => actor))).toEqual(
        new Set([`encryptor ${instance.instanceId}`]),
      )
      expect(events[1]?.kekId).toContain(place.stack.kms.keyId)
      expect(events[3]?.atMs).toBe(lastUsedAtMs)
      expect(events[4]?.reason).toMatch(/^rotate-now by .+@.+: drill$/)
    }
    expect(after.map(dekOf).every((dekId) => !before.map(dekOf).includes(dekId))).toBe(true)
  })

  test('are retired one by one, and the others go on', async () => {
    const [one, other] = (await allAtWork(2)) as [InstanceKeys, InstanceKeys]
    const retired = await keys('retire', dekOf(one), '--reason', 'seen in a dump')
    expect(retired.code).toBe(0)
    expect(retired.stdout).toContain(dekOf(one))
    expect(retired.stdout).toContain('none in scope')
    expect(retired.stderr).toContain(`${one.instanceId}: retired: done`)
    const after = await allAtWork(2)
    const used = after.flatMap(({ keys: now }) => now.map((key) => key.dekId))
    expect(used).toContain(dekOf(other))
    expect(used).not.toContain(dekOf(one))
    const shown = await keys('show', dekOf(one).toUpperCase())
    expect(shown.code).toBe(0)
    expect(shown.stdout).toMatch(/state +retired/)
    expect(shown.stdout).toMatch(/retired +encryptor .+retire by .+: seen in a dump/)
    const again = await keys('retire', dekOf(one), '--reason', 'once more')
    expect(again.code).toBe(0)
    expect(again.stderr).toContain('it was retired before')
    expect((await eventsOf(dekOf(one))).filter(({ kind }) => kind === 'retired')).toHaveLength(1)
  })

  test('that nobody knows are refused', async () => {
    for (const command of [['show'], ['retire', '--reason', 'x']]) {
      const { code, stderr } = await keys(...command, randomUUID())
      expect(code).toBe(3)
      expect(stderr).toMatch(/^sealstream: no DEK .+ is on record.+\[SEAL_KEY_UNKNOWN\]\n$/)
      expect((await keys(...command, 'no-id')).code).toBe(2)
    }
  })

  test('go with an instance that is killed, which holds nobody up and is named', async () => {
    const [, killed] = encryptors as [EncryptorProcess, EncryptorProcess]
    const before = await allAtWork(2)
    const { instanceId } = killed.logged(/^sealing$/)[0] as { instanceId: string }
    const dead = before.find((one) => one.instanceId === instanceId) as InstanceKeys
    const alive = before.find((one) => one.instanceId !== instanceId) as InstanceKeys
    killedDek = dekOf(dead)
    killed.kill('SIGKILL')
    await killed.ended
    const { code, json, stderr } = await keys('rotate-now', '--reason', 'host lost', '--json')
    const answer = json<Answer>()
    expect(reportOf(answer, dead).standing).toBe('gone')
    expect(reportOf(answer, alive)).toMatchObject({
      standing: 'retired',
      retired: [{ dekId: dekOf(alive) }],
    })
    expect(code).toBe(4)
    expect(stderr).toMatch(/^sealstream: 1 of 2 instances did not confirm: .+ \(gone\); .+\n$/)
    expect(stderr).toContain(instanceId)

    // Nobody is left who could tell of the end of its key, so the operator does.
    const kindsOf = async () => (await eventsOf(dekOf(dead))).map(({ kind }) => kind)
    expect(await kindsOf()).toEqual(['created', 'wrapped', 'first-use'])
    const retire = ['retire', dekOf(dead), '--reason', 'host lost']
    expect((await keys(...retire)).code).toBe(4)
    expect(await kindsOf()).toEqual(['created', 'wrapped', 'first-use'])
    expect((await keys(...retire, '--dead', instanceId)).code).toBe(0)
    expect(await kindsOf()).toEqual(['created', 'wrapped', 'first-use', 'retired'])
  })

  test('have whole stories in the end, and every message was sealed once', async () => {
    isOver = true
    await producing
    const [encryptor] = encryptors as [EncryptorProcess]
    const ends = await kafka.ends(place.topic)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
    expect(await encryptor.metric('sealstream_lost_key_events_total')).toBe(0)
    expect((await encryptor.stop()).code).toBe(0)
    expect(await inUse()).toEqual([])
    for (const { dekId, messages: count } of await dekUsage(place)) {
      const kinds = (await eventsOf(dekId)).map(({ kind }) => kind)
      const isKilled = dekId === killedDek
      const used = isKilled ? ['first-use'] : count > 0 ? ['first-use', 'last-use'] : []
      expect(kinds).toEqual(['created', 'wrapped', ...used, 'retired'])
    }
    // Of all that ran within the day, the one that was killed is still on nobody's word.
    const last = await keys('rotate-now', '--reason', 'nobody there')
    expect(last.code).toBe(4)
    expect(last.stderr).toContain('1 of 1 instances did not confirm')
    await expectSealedOnce(kafka, place, place.topic, messages)
  })
})
