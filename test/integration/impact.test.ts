import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { beforeAll, describe, expect, test } from 'vitest'
import { listLines } from '../../src/cli/list-lines.ts'
import { registrations } from '../../src/cli/main.ts'
import { runCommandLine } from '../../src/cli/program.ts'
import { withImpactReader } from '../../src/compose/impact.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import type { Message } from '../../src/format/message.ts'
import { impactPages } from '../../src/incident/impact.ts'
import type { ImpactScope } from '../../src/incident/impact-scope.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { record } from '../support/records.ts'
import type { SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'
import { recordTerminal } from '../unit/cli/terminal-sample.ts'

const shared = sealingScene()
const PARTITIONS = 3
const COUNT = 900
const TENANTS = ['red', 'green']

let place: SealingPlace
let config: string
let messages: readonly Message[]
let references: readonly Record<string, unknown>[]
let beganAtMs: number

/** Tenants as key domains, ids that repeat every 300 messages, windows that turn. */
beforeAll(async () => {
  place = await shared.newPlace('impact', PARTITIONS)
  config = place.config({
    'keyDomain.by': 'header',
    'keyDomain.header': 'tenant',
    'window.messagesMax': 200,
    'mapping.messageIdHeader': 'id',
  })
  const records = Array.from({ length: COUNT }, (_, i) =>
    record({
      value: Buffer.from(`value ${i}`),
      headers: [
        [Buffer.from('tenant'), Buffer.from(TENANTS[i % 2] as string)],
        [Buffer.from('id'), Buffer.from(`order-${i % 300}`)],
      ],
    }),
  )
  beganAtMs = Date.now()
  messages = await shared.kafka.appendMany(place.topic, PARTITIONS, records, 30)
  const encryptor = new EncryptorProcess(config)
  await encryptor.ready()
  const ends = await shared.kafka.ends(place.topic)
  await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
  expect((await encryptor.stop()).code).toBe(0)
  const found = await shared.kafka.references(place.topic)
  references = found.map(({ reference }) => ({ ...reference }))
})

/** The command line in this process, which spares the start of one. */
async function impact(...args: string[]) {
  const { terminal, written } = recordTerminal()
  const code = await runCommandLine(
    ['impact', '--config', config, ...args],
    registrations,
    terminal,
  )
  return { code, stdout: written.out, counts: () => JSON.parse(written.out) }
}

/** What `--list` gives, as rows. */
async function listed(scope: ImpactScope): Promise<Record<string, unknown>[]> {
  const { config: loaded } = loadConfig({ file: config, env: {} })
  return withImpactReader(loaded, async (reader) => {
    const lines: string[] = []
    for await (const page of impactPages(reader, scope)) {
      lines.push(listLines('ndjson', page).toString())
    }
    return lines
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  })
}

/** Rows and references in one form and order. */
const comparable = (rows: readonly Record<string, unknown>[]) =>
  rows
    .map(({ object, topic, partition, offset, position, length }) =>
      JSON.stringify([object, topic, partition, offset, position, length]),
    )
    .sort()

describe('sealstream impact', () => {
  test('by topic and partition lists what references name, each message once', async () => {
    const all = await listed({ topic: place.topic })
    expect(comparable(all)).toEqual(comparable(references))
    expect(all.every(({ state }) => state === 'published')).toBe(true)
    const ofOne = await listed({ topic: place.topic, partition: 1 })
    const named = references.filter(({ partition }) => partition === 1)
    expect(comparable(ofOne)).toEqual(comparable(named))
    const counts = (await impact('--topic', place.topic, '--partition', '1', '--json')).counts()
    expect(counts).toMatchObject({ messages: named.length, isComplete: true })
    expect(counts.bytes).toBe(named.reduce((sum, { length }) => sum + Number(length), 0))
  })

  test('by key domain lists the messages of one tenant, and by time those of the run', async () => {
    const isGreen = (row: Record<string, unknown>) =>
      messages.some(
        ({ partition, offset, headers }) =>
          partition === row.partition &&
          offset === row.offset &&
          String(headers[0]?.[1]) === 'green',
      )
    expect(comparable(await listed({ keyDomain: 'green' }))).toEqual(
      comparable(references.filter(isGreen)),
    )
    const since = ['--domain', 'green', '--from', String(beganAtMs), '--json']
    expect((await impact(...since)).counts()).toMatchObject({ messages: COUNT / 2 })
    const before = ['--domain', 'green', '--to', String(beganAtMs), '--json']
    expect((await impact(...before)).counts()).toMatchObject({ messages: 0, objects: 0 })
    const later = new Date(Date.now() + 86_400_000).toISOString()
    expect((await impact('--from', later, '--json')).counts()).toMatchObject({ messages: 0 })
    const all = await impact('--topic', place.topic, '--from', String(beganAtMs), '--json')
    expect(all.counts()).toMatchObject({ messages: COUNT })
  })

  test('of one message tells its DEK and place, and the DEK tells it back', async () => {
    const [one] = references as [Record<string, unknown>]
    const at = ['--partition', String(one.partition), '--offset', String(one.offset)]
    const { places } = (await impact('--topic', place.topic, ...at, '--json')).counts()
    expect(comparable(places)).toEqual(comparable([one]))
    const [{ dekId, kekId }] = places
    expect(kekId).toContain(place.stack.kms.keyId)
    expect(comparable(await listed({ dekId }))).toEqual(expect.arrayContaining(comparable([one])))
  })

  test('by message id finds every message with it, of both tenants', async () => {
    const { places } = (await impact('--message-id', 'order-7', '--json')).counts()
    const found = places.map(({ partition, offset }: Message) => `${partition}/${offset}`)
    const sent = messages.filter(({ headers }) => String(headers[1]?.[1]) === 'order-7')
    expect(found.sort()).toEqual(
      sent.map(({ partition, offset }) => `${partition}/${offset}`).sort(),
    )
    expect(found).toHaveLength(3)
    expect((await impact('--message-id', 'order-8')).stdout).toContain('key domain   red')
    expect((await impact('--message-id', 'order-8x')).code).toBe(3)
  })

  test('writes CSV, and counts copies that are in the bucket', async () => {
    const args = ['--topic', place.topic, '--list', '--format', 'csv']
    const csv = (await runCommand(['impact', '--config', config, ...args])).stdout
    const [head, ...lines] = csv.trimEnd().split('\r\n')
    expect(head).toBe('dekId,kekId,kekVersion,object,state,topic,partition,offset,position,length')
    const rows = lines.map((line) => line.split(','))
    expect(
      comparable(
        rows.map(([, , , object, , topic, partition, offset, position, length]) => ({
          ...{ object, topic, partition: Number(partition), offset: Number(offset) },
          ...{ position: Number(position), length: Number(length) },
        })),
      ),
    ).toEqual(comparable(references))
    const counted = (await impact('--topic', place.topic, '--copies', '--json')).counts()
    const objects = new Set(references.map(({ object }) => object)).size
    expect(counted.objects).toBe(objects)
    expect(counted.copies).toMatchObject({
      ...{ current: { count: objects }, unpublished: { count: 0, bytes: 0 } },
      ...{ noncurrent: { count: 0, bytes: 0 }, gone: 0, openUploads: 0, elsewhere: 0 },
    })
  })

  test('tells what is on no record by exit code 3', async () => {
    const unknown = [
      ['--topic', `${place.topic}x`],
      ['--topic', place.topic, '--partition', '77'],
      ['--topic', place.topic, '--partition', '0', '--offset', '123456'],
      ['--domain', 'blue'],
    ]
    const codes: number[] = []
    for (const args of unknown) codes.push((await impact(...args)).code)
    expect(codes).toEqual([3, 3, 3, 3])
  })

  test('ends quietly when the reader of the list leaves, and with 130 when it is interrupted', async () => {
    const args = ['src/cli/main.ts', 'impact', '--config', config, '--topic', place.topic, '--list']
    const left = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    left.stdout.destroy()
    expect(await once(left, 'close')).toEqual([0, null])
    const stopped = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    // The list is longer than what a pipe holds, so it waits for its reader.
    await once(stopped.stderr, 'data')
    stopped.kill('SIGINT')
    stopped.stdout.resume()
    expect(await once(stopped, 'close')).toEqual([130, null])
  })
})
