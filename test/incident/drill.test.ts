import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { FAILPOINT_VARIABLE } from '../../src/failpoints.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

/** Most of the time goes into starts of processes; compiled code is kept for the next one. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }
const MESSAGES = 60
const place = new SealingPlace('drill', 2)
const [topic, canary] = place.topics as [string, string]
const { keyId, ...service } = inject('stack').kms
// A copy: the client writes into it.
const admin = new KMSClient({ ...service, credentials: { ...service } })
let kafka: KafkaFixture
let config: string
let encryptor: EncryptorProcess
let others: Message[]
let keks: string[]

async function newKey(): Promise<string> {
  const { KeyMetadata } = await admin.send(new CreateKeyCommand({}))
  return KeyMetadata?.KeyId as string
}

async function sealstream(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const ending = await runCommand([...args, '--config', config], { ...COMPILED, ...env })
  return { ...ending, json: <T>() => JSON.parse(ending.stdout) as T }
}

interface DrillJson {
  readonly isPassed: boolean
  readonly reason: string | null
  readonly openedByOldKek: number
  readonly readings: { readonly read: number; readonly failed: number; readonly wrong: number }
  readonly times: Readonly<Record<string, number | null>>
}

beforeAll(async () => {
  keks = await Promise.all([newKey(), newKey()])
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(topic, 1)
  await kafka.createTopic(canary, 1)
  const drill = { topic: canary, keks, everyDays: 1, messages: MESSAGES }
  const own = { 'keyDomain.keks': [`${canary}=${keks[0]}`], 'kms.allowedKeyIds': [keks[1]] }
  config = place.config({ ...own, drill })
  encryptor = new EncryptorProcess(config)
  await encryptor.ready()
  others = await kafka.appendMany(topic, 1, numberedRecords(100, 'others'), 50)
})

afterAll(async () => {
  await encryptor.stop()
  await kafka.close()
  admin.destroy()
  place.remove()
})

test('a drill that was never made is overdue', async () => {
  const { code, stdout } = await sealstream(['drill', 'status', '--json'])
  expect([code, JSON.parse(stdout)]).toEqual([
    10,
    { openIncidents: 0, lastPassedDrill: null, lastFailedDrillAtMs: null, isDrillOverdue: true },
  ])
})

test('a drill that is killed in the middle is finished by the next one, which passes under readers', async () => {
  const killed = await sealstream(['drill', '--json'], {
    [FAILPOINT_VARIABLE]: 'after-incident-rewrap:exit',
  })
  expect(killed.signal, killed.stderr).toBe('SIGKILL')
  const drilled = await sealstream(['drill', '--json'])
  const report = drilled.json<DrillJson>()
  expect([drilled.code, report.isPassed, report.reason], drilled.stderr).toEqual([0, true, null])
  expect(report.readings).toMatchObject({ failed: 0, wrong: 0, firstFailure: null })
  expect(report.readings.read).toBeGreaterThan(MESSAGES)
  expect(report.openedByOldKek).toBe(0)
  expect(Object.values(report.times).every((ms) => typeof ms === 'number' && ms > 0)).toBe(true)
})

test('it has moved the canary and nothing else, and stands on record', async () => {
  const status = await sealstream(['rotate', 'status', '--json'])
  const { inForce } = status.json<{ inForce: { keyDomain: string | null; kekId: string }[] }>()
  // Twice: the one that was killed went from the first to the second, the next one back.
  expect(inForce).toEqual([
    { keyDomain: null, kekId: keyId, order: null },
    { keyDomain: canary, kekId: expect.stringContaining(keks[0] as string), order: 2 },
  ])
  const listed = await sealstream(['incident', 'list', '--json'])
  const lines = listed.stdout.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { kind: 'drill', state: 'closed', approvals: [] },
    { kind: 'drill', state: 'closed', approvals: [] },
  ])
  expect((await sealstream(['drill', 'status'])).code).toBe(0)
  const impact = await sealstream(['impact', '--kek', keyId, '--json'])
  expect(impact.json<{ messages: number; segments: object }>()).toMatchObject({
    ...{ messages: others.length, segments: { replaced: 0 } },
  })
  place.kms = { ...service, allowedKeyIds: [keyId] }
  await expectSealedOnce(kafka, place, topic, others)
  const late = new EncryptorProcess(config)
  await late.until('told', async () => {
    return (await late.metric('sealstream_drill_last_success_timestamp_seconds')) > 0
  })
  expect(await late.metric('sealstream_drill_overdue')).toBe(0)
  expect(await late.metric('sealstream_drill_seconds')).toBeGreaterThan(0)
  await late.stop()
})
