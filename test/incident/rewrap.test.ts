import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import { createReader } from '../../src/index.ts'
import type { KeyInUse } from '../../src/keys/running-keys.ts'
import type { RewrapReport } from '../../src/rewrap/job.ts'
import type { RewrapPlan } from '../../src/rewrap/plan.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { expectVerified } from '../support/verified.ts'

const PARTITIONS = 4
const place = new SealingPlace('rewrap')
const messages: Message[] = []
const { keyId: _keyId, ...service } = inject('stack').kms
// A copy: the client writes into it.
const admin = new KMSClient({ ...service, credentials: { ...service } })
let oldKek: string
let newKek: string
let kafka: KafkaFixture
let config: string
let encryptors: EncryptorProcess[]
let isOver = false
let producing: Promise<void>
let references: readonly Reference[]

async function newKey(): Promise<string> {
  const { KeyMetadata } = await admin.send(new CreateKeyCommand({}))
  return KeyMetadata?.KeyId as string
}

async function produce(): Promise<void> {
  for (let turn = 0; !isOver; turn++) {
    const records = numberedRecords(40, `rewrap ${turn}`)
    messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 10)))
    await systemClock.sleep(50)
  }
}

async function sealstream(...args: string[]) {
  const ending = await runCommand([...args, '--config', config])
  return { ...ending, json: <T>() => JSON.parse(ending.stdout) as T }
}

const signingKey = join(place.folder, 'signing-key.pem')
const certificate = join(place.folder, 'kek.cert.json')

/** Asks for a certificate of the old KEK; the lines that it prints. */
async function certify(...args: string[]) {
  const asked = ['certificate', '--kek', oldKek, '--out', certificate, '--json', ...args]
  const { code, stdout, stderr } = await sealstream(...asked)
  expect(stderr).toBe('')
  const lines = stdout.trimEnd().split('\n')
  return { code, lines: lines.map((line): Record<string, unknown> => JSON.parse(line)) }
}

/** What a rewrap of the old KEK would do now. */
async function plan(): Promise<RewrapPlan> {
  const planned = await sealstream('rewrap', '--kek', oldKek, '--plan', '--json')
  return planned.json<{ plan: RewrapPlan }>().plan
}

/** Opens everything there is again and again, with keys that are soon forgotten, until it is told to end. */
function hammer() {
  const end = new AbortController()
  const reader = createReader({
    s3: { ...place.stack.s3, prefix: place.prefix },
    kms: { ...service, allowedKeyIds: [oldKek, newKek] },
    keyCache: { ttlMs: 1 },
  })
  let opened = 0
  const work = async () => {
    while (!end.signal.aborted) opened += (await reader.openReferences(references)).length
    await reader.close()
    return opened
  }
  const working = work()
  return {
    end: () => {
      end.abort()
      return working
    },
  }
}

/** The certificate is made, and is genuine for whoever has the public key and nothing else. */
async function expectCertified() {
  const { code, lines } = await certify()
  const clean = { isClean: true, counts: { objects: 0 } }
  expect([code, lines.at(-1)]).toMatchObject([0, clean])
  const verify = (file: string) =>
    runCommand(['certificate', 'verify', file, '--public-key', `${signingKey}.pub`])
  expect((await verify(certificate)).code).toBe(0)
  const altered = Buffer.from(readFileSync(certificate))
  altered[altered.length >> 1] = (altered[altered.length >> 1] as number) ^ 1
  writeFileSync(`${certificate}.altered`, altered)
  expect((await verify(`${certificate}.altered`)).code).toBe(5)
}

beforeAll(async () => {
  ;[oldKek, newKek] = await Promise.all([newKey(), newKey()])
  place.kms = { ...service, allowedKeyIds: [oldKek, newKek] }
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  config = place.config({
    ...{ 'kafka.lanes': PARTITIONS, 'kms.allowedKeyIds': [newKek] },
    'window.ageMs': '400ms',
    'certificate.signingKeyFile': signingKey,
  })
  const made = await runCommand(['certificate', 'new-key', '--out', signingKey])
  writeFileSync(`${signingKey}.pub`, made.stdout)
  encryptors = [new EncryptorProcess(config)]
  await encryptors[0]?.ready()
  encryptors.push(new EncryptorProcess(config))
  await encryptors[1]?.ready()
  producing = produce()
})

afterAll(async () => {
  isOver = true
  await producing
  await kafka.close()
  admin.destroy()
  place.remove()
})

describe('a KEK is replaced', () => {
  test('by an order that two encryptors take over within seconds, and no bad one', async () => {
    const [first] = encryptors as [EncryptorProcess]
    const mistaken = sealstream('rotate', 'kek', '--to', randomUUID(), '--reason', 'mistaken')
    await first.until('at work with its twin', async () => {
      const counts = encryptors.map((one) => one.metric('sealstream_deks_created_total'))
      return (await Promise.all(counts)).every((count) => count > 2)
    })
    const bad = await mistaken
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('SEAL_KEK_DESTROYED')])

    const rotated = await sealstream('rotate', 'kek', '--to', newKek, '--reason', 'drill', '--json')
    expect(rotated.stderr).toMatch(/^sealstream: warning: every other reader needs .+\n$/)
    expect(rotated.code).toBe(0)
    const report = rotated.json<{
      isComplete: boolean
      instances: { standing: string }[]
      oldKekLastUsedAtMs: number
    }>()
    expect(report.isComplete).toBe(true)
    expect(report.instances.map(({ standing }) => standing)).toEqual(['retired', 'retired'])
    expect(report.oldKekLastUsedAtMs).toBeGreaterThan(0)

    const status = await sealstream('rotate', 'status', '--json')
    expect(status.code).toBe(0)
    const { inForce, orders, inUse } = status.json<{
      inForce: { keyDomain: string | null; kekId: string; order: number }[]
      orders: { reason: string }[]
      inUse: { key: KeyInUse; isInForce: boolean }[]
    }>()
    expect(inForce).toEqual([{ keyDomain: null, kekId: expect.stringContaining(newKek), order: 1 }])
    expect(orders.map(({ reason }) => reason)).toEqual(['drill'])
    expect(inUse.every(({ isInForce }) => isInForce)).toBe(true)
    for (const one of encryptors) expect(await one.metric('sealstream_kek_order')).toBe(1)
  })

  test('and two rewraps at once move its data keys while readers go on', async () => {
    isOver = true
    await producing
    const [encryptor] = encryptors as [EncryptorProcess]
    const ends = await kafka.ends(place.topic)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
    references = (await kafka.references(place.topic)).map(({ reference }) => reference)

    const { toRewrap, deks } = await plan()
    expect(toRewrap).toBeGreaterThan(3)
    expect(deks).toBe(toRewrap)
    // Nothing is made under it any more, and all that was is named.
    const refused = await certify()
    const { counts, users } = refused.lines.at(-1) as Record<string, Record<string, number>>
    expect([refused.code, users]).toEqual([7, []])
    const named = (kind: string) => refused.lines.filter((line) => line.kind === kind)
    expect(counts?.liveDeks).toBeGreaterThan(3)
    expect(named('dek')).toHaveLength(toRewrap)
    expect(named('object')).toHaveLength(counts?.objects as number)
    const reading = hammer()
    const rewrap = () =>
      sealstream(
        'rewrap',
        '--kek',
        oldKek,
        '--kms-per-second',
        '2000',
        '--reason',
        'drill',
        '--json',
      )
    const both = await Promise.all([rewrap(), rewrap()])
    expect(await reading.end()).toBeGreaterThan(references.length)
    const reports = both.map(({ json }) => json<RewrapReport>())
    expect(reports.flatMap(({ failures }) => failures)).toEqual([])
    expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ])
    const moved = reports.reduce((sum, { rewrapped }) => sum + rewrapped, 0)
    expect(moved).toBeGreaterThanOrEqual(toRewrap)
  })

  test('and switched off in the KMS: all is read, verified, found and sealed as before', async () => {
    await admin.send(new DisableKeyCommand({ KeyId: oldKek }))
    await expectSealedOnce(kafka, place, place.topic, messages)
    place.kms = { ...service, allowedKeyIds: [newKek] }
    await expectSealedOnce(kafka, place, place.topic, messages)

    // Its configuration names the KEK that is off; the order says another.
    await Promise.all(encryptors.map((one) => one.stop()))
    const late = new EncryptorProcess(config)
    const oldest = references[0] as Reference
    const [read, inspected, impact, { deks, toRewrap }] = await Promise.all([
      sealstream('read', place.topic, '--values'),
      sealstream('inspect', oldest.object, '--verify', '--json'),
      sealstream('impact', '--kek', oldKek, '--json'),
      plan(),
      expectVerified(place, { config }),
      late.ready(),
    ])
    expect([read.code, read.stdout.trimEnd().split('\n').length]).toEqual([0, messages.length])
    expect(inspected.json<{ verifiedFrames: number }>().verifiedFrames).toBeGreaterThan(0)
    await expectCertified()
    // Look-ups by KEK still find every data key that it ever wrapped.
    expect([impact.json<{ deks: number }>().deks, toRewrap]).toEqual([deks, 0])

    const records = numberedRecords(20, 'late')
    messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 10)))
    const ends = await kafka.ends(place.topic)
    await late.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
    await late.stop()
    await expectSealedOnce(kafka, place, place.topic, messages)
  })
})
