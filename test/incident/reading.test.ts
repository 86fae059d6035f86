import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { loadKafkajs } from '../../src/adapters/kafka/load-kafkajs.ts'
import { createS3Client } from '../../src/adapters/s3/s3-client.ts'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import {
  createReader,
  deadLetterTopic,
  isSealError,
  type ReaderOptions,
  SealedConsumer,
  type SealedConsumerOptions,
  type SealedMessage,
} from '../../src/index.ts'
import { dekOfObject } from '../../src/reader/segment-holder.ts'
import { type ConsumedMessage, type ConsumerOrder, contentOf } from '../support/consumer-process.ts'
import { blocksOf } from '../support/doc-blocks.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { comparable } from '../support/messages.ts'
import { numberedRecords, oddRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const CONSUMER = join(ROOT, 'test/support/consumer-process.ts')
const MIB = 1024 * 1024
const PARTITIONS = 2
const COUNT = 600
const run = promisify(execFile)
const place = new SealingPlace('reading')
const sealed = `${place.topic}.sealed`
const client = new (loadKafkajs().Kafka)({
  clientId: 'reading',
  brokers: [...inject('stack').kafka.brokers],
  logLevel: 0,
})
const storeOptions = { ...place.stack.s3, forcePathStyle: true, requestTimeoutMs: 5_000 }
let kafka: KafkaFixture
let config: string
let messages: Message[]
const closing: (() => Promise<unknown>)[] = []

async function seal(): Promise<void> {
  const encryptor = new EncryptorProcess(config)
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  expect((await encryptor.stop()).code).toBe(0)
}

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  await kafka.createTopic(`${place.topic}.dead`, 1)
  config = place.config({ 'segment.messagesMax': 100 })
  const records = [...numberedRecords(COUNT, 'reading'), ...oddRecords]
  messages = await kafka.appendMany(place.topic, PARTITIONS, records, 30)
  await seal()
})

afterAll(async () => {
  for (const close of closing) await close()
  await kafka.close()
  place.remove()
})

function readerOf(over: Partial<ReaderOptions> = {}) {
  const s3 = { ...place.stack.s3, prefix: place.prefix }
  const reader = createReader({ s3, kms: place.kms, ...over })
  closing.push(() => reader.close())
  return reader
}

async function consumerOf(groupId: string, options: Partial<SealedConsumerOptions> = {}) {
  const group = { groupId, sessionTimeout: 6_000, heartbeatInterval: 500, maxWaitTimeInMs: 100 }
  const over = { reader: readerOf(), ...options }
  const consumer = new SealedConsumer({ kafka: client, ...group }, over)
  closing.push(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topics: [sealed], fromBeginning: true })
  return consumer
}

async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await systemClock.sleep(20)
}

const placeOf = ({ source }: SealedMessage) => `${source.partition}/${source.offset}`

/** Every message once, in the order of its partition, as it was produced. */
function expectAll(found: readonly ConsumedMessage[]): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const sent = messages.filter((one) => one.partition === partition)
    const own = found.filter((one) => one.partition === partition)
    expect(own.map(({ content }) => content)).toEqual(
      sent.map((one) => ({ ...comparable(one), timestampMs: String(one.timestampMs) })),
    )
  }
}

const consumed = (found: readonly SealedMessage[]): ConsumedMessage[] =>
  found.map((one) => ({ partition: one.source.partition, content: contentOf(one) }))

describe('a consumer of sealed messages', () => {
  test('hands over every message as it was produced, commits it, and goes on from there', async () => {
    const found: SealedMessage[] = []
    const first = await consumerOf('reading-commits')
    let leaving: Promise<void> | null = null
    await first.run({
      autoCommitThreshold: 10,
      eachMessage: async ({ message }) => {
        found.push(message)
        if (found.length === COUNT / 2) leaving = first.disconnect()
      },
    })
    await until(() => leaving !== null)
    await leaving
    expect(found.length).toBeLessThan(messages.length)
    const order: ConsumerOrder = {
      ...{ brokers: place.stack.kafka.brokers, groupId: 'reading-commits', topic: sealed },
      count: messages.length - found.length,
      reader: { s3: { ...place.stack.s3, prefix: place.prefix }, kms: place.kms },
    }
    const file = join(place.folder, 'order.json')
    writeFileSync(file, JSON.stringify(order))
    const { stdout } = await run(process.execPath, [CONSUMER, file], { maxBuffer: 64 * MIB })
    expectAll([...consumed(found), ...(JSON.parse(stdout) as ConsumedMessage[])])
    // The markers of the transactions too: nothing is left to be read again.
    expect(await kafka.committed('reading-commits', sealed)).toEqual(await kafka.ends(sealed))
  })

  test('shares its partitions with another one, and takes over those of one that leaves', async () => {
    const seen = new Map<string, number>()
    const count = async ({ message }: { message: SealedMessage }) => {
      seen.set(placeOf(message), (seen.get(placeOf(message)) ?? 0) + 1)
      await systemClock.sleep(1)
    }
    const one = await consumerOf('reading-group')
    const other = await consumerOf('reading-group')
    await one.run({ eachMessage: count, autoCommitThreshold: 10 })
    await until(() => seen.size > 20)
    await other.run({ eachMessage: count, autoCommitThreshold: 10 })
    await until(() => seen.size > 200)
    await one.disconnect()
    await until(() => seen.size === messages.length)
    await other.disconnect()
  })

  test('waits for a KMS that is away without losing its place, and goes on by itself', async () => {
    const { endpoint, ...service } = place.stack.kms
    const proxy = await TcpProxy.before(new URL(endpoint).host)
    await proxy.cut()
    const kms = {
      ...service,
      ...place.kms,
      endpoint: `http://${proxy.address}`,
      requestTimeoutMs: 500,
    }
    const retries: string[] = []
    const found: SealedMessage[] = []
    const consumer = await consumerOf('reading-outage', {
      reader: readerOf({ kms, keyCache: { ttlMs: 50 } }),
      onRetry: ({ error }) => void retries.push(error.kind),
    })
    let joins = 0
    consumer.consumer.on('consumer.group_join', () => void joins++)
    await consumer.run({ eachMessage: async ({ message }) => void found.push(message) })
    // Longer than the session: only a beating heart keeps the partitions.
    await systemClock.sleep(6_500)
    expect(new Set(retries)).toEqual(new Set(['key-unavailable']))
    expect(found).toEqual([])
    await proxy.restore()
    await until(() => found.length === messages.length)
    expectAll(consumed(found))
    expect(joins).toBe(1)
    await consumer.disconnect()
  })

  test('reads on while everything is brought under new keys', async () => {
    const found: SealedMessage[] = []
    const consumer = await consumerOf('reading-reencryption', {
      reader: readerOf({ keyCache: { ttlMs: 1 } }),
      bytesAheadMax: 4_096,
    })
    const store = new S3ObjectReader(storeOptions)
    const [first] = await kafka.references(place.topic)
    const dekId = await dekOfObject(store, first?.reference.object as string)
    await store.close()
    const args = ['reencrypt', '--dek', dekId as string, '--yes', '--json', '--config', config]
    const working = runCommand(args)
    let isOver = false
    void working.then(() => {
      isOver = true
    })
    await consumer.run({
      eachMessage: async ({ message }) => {
        found.push(message)
        if (!isOver) await systemClock.sleep(3)
      },
    })
    expect(await working).toMatchObject({ code: 0 })
    await until(() => found.length === messages.length)
    expectAll(consumed(found))
    await consumer.disconnect()
  })

  test('stops at what it may not open, and says why', async () => {
    const reader = readerOf({ kms: { ...place.kms, allowedKeyIds: ['another'] } })
    const denied = await consumerOf('reading-denied', { reader })
    await denied.run({ eachMessage: async () => expect.unreachable() })
    await expect(denied.ended).rejects.toMatchObject({
      kind: 'denied',
      code: 'SEAL_KEK_NOT_ALLOWED',
    })
    expect(await kafka.committed('reading-denied', sealed)).toEqual(new Map())
  })

  test('keeps references to what is gone aside, and hands over the rest', async () => {
    const [first] = await kafka.references(place.topic)
    const lost = first?.reference.object as string
    const store = createS3Client(
      { ...place.stack.s3, forcePathStyle: true, requestTimeoutMs: 5_000 },
      1,
    )
    await store.send(new DeleteObjectCommand({ Bucket: place.stack.s3.bucket, Key: lost }))
    store.destroy()
    const references = await kafka.references(place.topic)
    const gone = references.filter(({ reference }) => reference.object === lost)
    const found: SealedMessage[] = []
    const consumer = await consumerOf('reading-gone', {
      policies: { gone: 'skip' },
      deadLetter: deadLetterTopic(await kafka.producer(), `${place.topic}.dead`),
    })
    await consumer.run({ eachBatch: async ({ batch }) => void found.push(...batch.messages) })
    await until(async () => found.length + gone.length >= messages.length)
    await consumer.disconnect()
    expect(found).toHaveLength(messages.length - gone.length)
    const letters = await kafka.readAll(`${place.topic}.dead`)
    expect(letters.map(({ value }) => String(value)).sort()).toEqual(
      gone.map(({ value }) => String(value)).sort(),
    )
    const outcomes = await readerOf().settleReferences(letters.map(({ value }) => value))
    expect(outcomes.every((one) => isSealError(one) && one.kind === 'gone')).toBe(true)

    const file = join(place.folder, 'references.ndjson')
    writeFileSync(file, references.map(({ value }) => `${value}\n`).join(''))
    const open = await runCommand(['open', file, '--keep-going', '--config', config])
    const lines = open.stdout.trimEnd().split('\n')
    const kept = references.filter(({ reference }) => reference.object !== lost)
    const places = kept.map(({ reference: { partition, offset } }) => ({ partition, offset }))
    expect(lines.map((line) => JSON.parse(line))).toMatchObject(places)
    expect(open.stderr.match(/^sealstream: gone: /gm)).toHaveLength(gone.length)
    expect(open.code).toBe(1)
  })
})

test('the examples do what their page says, command by command', async () => {
  const own = new SealingPlace('reading-examples', 1, place.keyspace)
  await kafka.createTopic(own.topic, 1)
  await kafka.createTopic(`${own.topic}.sealed.dead`, 1)
  const folder = mkdtempSync(join(tmpdir(), 'sealstream-examples-'))
  execFileSync('npm', ['run', '-s', 'build'], { cwd: ROOT })
  cpSync(join(ROOT, 'examples/reading'), folder, { recursive: true })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/sealstream'))
  symlinkSync(join(ROOT, 'node_modules/kafkajs'), join(folder, 'node_modules/kafkajs'))
  const settings = { s3: { ...own.stack.s3, prefix: own.prefix }, kms: own.kms }
  writeFileSync(join(folder, 'reader.json'), JSON.stringify(settings))
  const encryptor = new EncryptorProcess(own.config())
  // Nothing is installed from here, and this broker is not on the port of the page.
  const commands = blocksOf(join(folder, 'README.md'), 'sh')
    .flatMap((block) => block.trim().split('\n'))
    .filter((line) => !/^(npm install|export) /.test(line))
    .map((line) => line.replaceAll(/\borders\b/g, own.topic))
  expect(commands).toHaveLength(5)
  const env = {
    PATH: `${join(process.execPath, '..')}:${process.env.PATH}`,
    KAFKA_BROKERS: own.stack.kafka.brokers.join(),
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
  }
  const said: string[] = []
  await encryptor.ready()
  for (const command of commands) {
    said.push((await run('bash', ['-c', command], { cwd: folder, env })).stdout)
  }
  expect((await encryptor.stop()).code).toBe(0)
  const values = ['two teas', 'one coffee', 'three cakes']
  const opened = values.map((value, offset) => `${own.topic}/0 ${offset}: ${value}\n`)
  expect(said.slice(2, 4)).toEqual([opened[0], opened.join('')])
  const printed = values.map((value, i) => `${own.topic}/0 ${i}: order-${i} = ${value}\n`)
  expect(said[4]).toBe(printed.join(''))
  // The message that the loop was left on comes again.
  expect(await kafka.committed('billing', `${own.topic}.sealed`)).toEqual(new Map([[0, 2]]))
  rmSync(folder, { recursive: true, force: true })
  own.remove()
})
