import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateKeyCommand, DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import {
  type CassandraConnection,
  connectCassandra,
} from '../../src/adapters/cassandra/connection.ts'
import {
  CassandraIncidentLease,
  CassandraIncidentLog,
} from '../../src/adapters/cassandra/incident-log.ts'
import { systemClock } from '../../src/clock.ts'
import { FAILPOINT_VARIABLE, INCIDENT_FAILPOINTS } from '../../src/failpoints.ts'
import type { Message } from '../../src/format/message.ts'
import { createReader } from '../../src/index.ts'
import { incidentLeaseContract, incidentLogContract } from '../contracts/incident-log.contract.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { type HookServer, startHookServer } from '../support/hook-server.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { comparable } from '../support/messages.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce, type OpenedReference } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { expectVerified } from '../support/verified.ts'

const PARTITIONS = 2
/** Where a step has had its effect and nobody has written that down; test/incident-scale has them all. */
const BOUNDARIES = INCIDENT_FAILPOINTS.filter((label) => label.startsWith('after-'))
/** Most of the time goes into starts of processes; compiled code is kept for the next one. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }
/** Readers leave something of the machine to the others. */
const READ_EVERY_MS = 20
const place = new SealingPlace('incident')
const { keyId: _keyId, ...service } = inject('stack').kms
// A copy: the client writes into it.
const admin = new KMSClient({ ...service, credentials: { ...service } })
const messages: Message[] = []
let oldKek: string
let newKek: string
let kafka: KafkaFixture
let hooks: HookServer
let config: string
let session: CassandraConnection
let log: CassandraIncidentLog
let encryptor: EncryptorProcess
let opened: OpenedReference[]
let incidentId: string

async function newKey(): Promise<string> {
  const { KeyMetadata } = await admin.send(new CreateKeyCommand({}))
  return KeyMetadata?.KeyId as string
}

async function sealstream(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const ending = await runCommand([...args, '--config', config], { ...COMPILED, ...env })
  return { ...ending, json: <T>() => JSON.parse(ending.stdout) as T }
}

interface IncidentJson {
  readonly incidentId: string
  readonly state: string
  readonly end: { readonly kind: string; readonly step: string | null }
  readonly times: Readonly<Record<string, number | null>>
  readonly steps: readonly {
    readonly step: string
    readonly state: string
    readonly attempts: number
    readonly details: Readonly<Record<string, unknown>>
  }[]
}

const stepIn = ({ steps }: IncidentJson, name: string) => steps.find(({ step }) => step === name)

async function status(): Promise<IncidentJson> {
  return (await sealstream(['incident', 'status', incidentId, '--json'])).json()
}

/** Goes on, taking the lease over from the process that was killed. */
async function run(env: Readonly<Record<string, string>> = {}, ...args: string[]) {
  const events = await log.events(incidentId)
  const lastRunId = events.findLast(({ runId }) => runId !== null)?.runId
  const takeOver = lastRunId ? ['--take-over', lastRunId] : []
  const list = join(place.folder, 'messages.ndjson')
  const all = ['incident', 'run', incidentId, '--json', '--list', list, ...takeOver, ...args]
  return sealstream([...all, '--kms-per-second', '2000'], env)
}

/** Opens references at random, with keys that are forgotten at once, and compares every message. */
function hammer() {
  const over = new AbortController()
  const reader = createReader({
    s3: { ...place.stack.s3, prefix: place.prefix },
    kms: { ...service, allowedKeyIds: [oldKek, newKek] },
    keyCache: { ttlMs: 1 },
  })
  const outcome = { read: 0, failures: [] as unknown[] }
  const work = async () => {
    while (!over.signal.aborted) {
      const some = Array.from(
        { length: 20 },
        () => opened[randomInt(opened.length)],
      ) as OpenedReference[]
      try {
        const found = await reader.openReferences(some.map(({ reference }) => reference))
        expect(found.map(comparable)).toEqual(some.map(({ message }) => comparable(message)))
        outcome.read += found.length
      } catch (error) {
        outcome.failures.push(error)
      }
      await systemClock.sleep(READ_EVERY_MS)
    }
  }
  const working = work()
  return async () => {
    over.abort()
    await working
    await reader.close()
    return outcome
  }
}

async function sealAll(name: string): Promise<void> {
  messages.push(
    ...(await kafka.appendMany(place.topic, PARTITIONS, numberedRecords(400, name), 20)),
  )
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
}

beforeAll(async () => {
  ;[oldKek, newKek] = await Promise.all([newKey(), newKey()])
  hooks = await startHookServer('hook secret')
  place.kms = { ...service, allowedKeyIds: [oldKek, newKek] }
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  config = place.config({
    ...{ 'kms.allowedKeyIds': [newKek], 'window.ageMs': '500ms', 'kafka.lanes': PARTITIONS },
    'incident.webhooks': [hooks.url, 'declared+retire http://127.0.0.1:1/nobody'],
    'incident.webhookSecret': 'hook secret',
  })
  encryptor = new EncryptorProcess(config)
  await encryptor.ready()
  session = await connectCassandra({
    ...{ ...place.stack.cassandra, keyspace: place.keyspace, requestTimeoutMs: 10_000 },
  })
  log = new CassandraIncidentLog(session)
  await sealAll('before')
  opened = await expectSealedOnce(kafka, place, place.topic, messages)
})

afterAll(async () => {
  await encryptor.stop()
  await session.close()
  await kafka.close()
  await hooks.close()
  admin.destroy()
  place.remove()
})

describe('incidents over Cassandra', () => incidentLogContract(() => log))
describe('leases over Cassandra', () =>
  incidentLeaseContract(() => new CassandraIncidentLease(session)))

describe('a KEK leaked', () => {
  test('what it will take is planned, and it is declared', async () => {
    const declare = [
      'incident',
      'declare',
      '--kek',
      oldKek,
      '--to',
      newKek,
      '--reason',
      'test',
      '--json',
    ]
    const planned = await sealstream([...declare, '--plan'])
    expect(planned.code).toBe(0)
    expect(planned.json<{ messages: number }>().messages).toBe(messages.length)
    const declared = await sealstream([...declare, '--by', 'alice'])
    expect([declared.code, declared.stderr]).toEqual([
      0,
      expect.stringContaining('was not told of "declared"'),
    ])
    incidentId = declared.json<IncidentJson>().incidentId
    expect(hooks.received.map(({ notice }) => notice)).toEqual(['declared'])
  })

  test('every step is killed behind its effect, under readers, and comes to its end', async () => {
    const stopHammer = hammer()
    for (const label of BOUNDARIES) {
      if (label === 'after-incident-retire') await approve()
      const { signal, stderr } = await run(
        { [FAILPOINT_VARIABLE]: `${label}:exit` },
        '--disable-in-kms',
      )
      expect([label, signal], stderr).toEqual([label, 'SIGKILL'])
    }
    const end = await run({}, '--disable-in-kms')
    expect([end.code, end.json<IncidentJson>().state], end.stderr).toEqual([0, 'closed'])
    const { read, failures } = await stopHammer()
    expect(failures).toEqual([])
    expect(read).toBeGreaterThan(500)
  })

  test('and it opens nothing any more, is off, and never comes back', async () => {
    const now = await status()
    expect(stepIn(now, 'assess')?.details).toMatchObject({ messages: messages.length })
    expect(stepIn(now, 'prove')?.details).toMatchObject({
      dependentObjects: 0,
      dependentDeks: 0,
      opened: 0,
    })
    expect(stepIn(now, 'retire')?.details).toMatchObject({
      inKms: 'disabled',
      refusedWith: 'SEAL_KEK_DISABLED',
    })
    expect(Object.values(now.times).every((ms) => typeof ms === 'number' && ms > 0)).toBe(true)
    const { KeyMetadata } = await admin.send(new DescribeKeyCommand({ KeyId: oldKek }))
    expect(KeyMetadata?.KeyState).toBe('Disabled')
    const list = readFileSync(join(place.folder, 'messages.ndjson'), 'utf8').trimEnd().split('\n')
    expect(list).toHaveLength(messages.length)

    const back = await sealstream(['rotate', 'kek', '--to', oldKek, '--reason', 'mistake'])
    expect([back.code, back.stderr]).toEqual([1, expect.stringContaining('SEAL_KEK_FORBIDDEN')])
    await sealAll('after')
    place.kms = { ...service, allowedKeyIds: [newKek] }
    await expectSealedOnce(kafka, place, place.topic, messages)
    await expectVerified(place, { config: place.config({ 'kms.keyId': newKek }) })
    const again = await run()
    expect([again.code, again.json<IncidentJson>().end.kind]).toEqual([0, 'closed'])
  })

  test('its papers are written, and those who wanted were told, each signed', async () => {
    const out = join(place.folder, 'papers')
    const { code, stderr } = await sealstream(['incident', 'report', incidentId, '--out', out])
    expect([code, stderr]).toEqual([0, ''])
    expect(readdirSync(out)).toEqual(
      expect.arrayContaining(['post-incident-review.md', 'customer-notice.md', 'events.ndjson']),
    )
    const review = readFileSync(join(out, 'post-incident-review.md'), 'utf8')
    expect(review).toContain(`${messages.length / 2} messages`)
    expect(review).not.toContain('{{')
    const told = new Set(hooks.received.map(({ notice }) => notice))
    expect(told).toEqual(
      new Set([
        'declared',
        'contain',
        'assess',
        'check',
        'rewrap',
        'reencrypt',
        'prove',
        'approval-wanted',
        'approved',
        'retire',
        'report',
      ]),
    )
    expect(hooks.badSignatures).toBe(0)
    const listed = await sealstream(['incident', 'list'])
    expect(listed.stdout).toMatch(new RegExp(`${incidentId} +incident .+ closed`))
  })
})

/** The last run came to the approval that is missing; the declarer may not give it. */
async function approve(): Promise<void> {
  const waiting = await run({}, '--disable-in-kms')
  expect([waiting.code, waiting.json<IncidentJson>().end], waiting.stderr).toEqual([
    8,
    expect.objectContaining({ kind: 'awaiting', step: 'retire' }),
  ])
  const approval = ['incident', 'approve', incidentId, '--step', 'retire', '--by']
  const own = await sealstream([...approval, 'Alice'])
  expect([own.code, own.stderr]).toEqual([
    2,
    expect.stringContaining('a second person must approve'),
  ])
  expect((await sealstream([...approval, 'bob'])).code).toBe(0)
}
