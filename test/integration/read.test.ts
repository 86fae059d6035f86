import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import {
  type FeedOptions,
  feedReferences,
  type ReferenceHandler,
} from '../../src/adapters/kafka/kafka-reference-feed.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const SESSION_TIMEOUT_MS = 6_000
const STALL_MS = 9_000
const PARTITIONS = 2
const COUNT = 400
const place = new SealingPlace('read', 4)
const [sealed, stalled, evicted, followed] = place.topics as [string, string, string, string]
let kafka: KafkaFixture
let config: string
let messages: Message[]

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  for (const topic of place.topics) await kafka.createTopic(topic, PARTITIONS)
  messages = await kafka.appendMany(sealed, PARTITIONS, numberedRecords(COUNT, 'plain'), 50)
  config = place.config({ 'kafka.topics': [sealed] })
  const encryptor = new EncryptorProcess(config)
  await encryptor.ready()
  const ends = await kafka.ends(sealed)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, sealed, ends))
  expect((await encryptor.stop()).code).toBe(0)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

/** The feed asks nothing of the values, so plain messages stand for references. */
async function feed(topic: string, handler: ReferenceHandler, over: Partial<FeedOptions> = {}) {
  const values: string[] = []
  const remarks: string[] = []
  const options: FeedOptions = {
    brokers: inject('stack').kafka.brokers,
    clientId: 'read-test',
    requestTimeoutMs: 30_000,
    topic,
    from: 'beginning',
    follow: false,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    signal: new AbortController().signal,
    onLog: (_, message) => remarks.push(message),
    ...over,
  }
  await feedReferences(options, async (batch, partition) => {
    values.push(...batch.map(String))
    await handler(batch, partition)
  })
  return { values: values.sort(), remarks }
}

const valuesOf = (messages: readonly Message[]) => messages.map(({ value }) => String(value)).sort()

/** Nothing beats while the thread stands still: the broker must take the reader for dead. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS)
}

describe('references are handed on once', () => {
  test('to a handler that stalls for longer than the session timeout, which stays a member', async () => {
    const sent = await kafka.appendMany(stalled, PARTITIONS, numberedRecords(COUNT, 'slow'), 50)
    let calls = 0
    const { values, remarks } = await feed(stalled, async () => {
      if (++calls === 1) await systemClock.sleep(STALL_MS)
    })
    expect(values).toEqual(valuesOf(sent))
    expect(remarks).toEqual([])
  })

  test('to a reader that is taken for dead in the middle of its work', async () => {
    const records = numberedRecords(COUNT, 'dead')
    const sent = await kafka.appendMany(evicted, PARTITIONS, records, 50)
    let calls = 0
    const { values, remarks } = await feed(evicted, async () => {
      if (++calls > 1) return
      standStill()
      await systemClock.sleep(2_000)
    })
    expect(remarks.join()).toMatch(/re-joining/)
    expect(values).toEqual(valuesOf(sent))
  })

  test('when it began at the end: what came while it was dead is not passed over', async () => {
    await kafka.appendMany(followed, PARTITIONS, numberedRecords(COUNT, 'before'), 50)
    const enough = new AbortController()
    const sent: Message[] = []
    let seen = 0
    const reading = feed(
      followed,
      async (batch) => {
        if (seen === 0) {
          standStill()
          sent.push(...(await kafka.appendMany(followed, PARTITIONS, numberedRecords(COUNT, 'b'))))
          await systemClock.sleep(2_000)
        }
        seen += batch.length
        if (seen === sent.length) enough.abort()
      },
      { from: 'end', follow: true, signal: enough.signal },
    )
    // The reader has joined when it knows where the end is, which nobody outside is told.
    await systemClock.sleep(3_000)
    sent.push(...(await kafka.appendMany(followed, PARTITIONS, numberedRecords(10, 'a'), 10)))
    const { values, remarks } = await reading
    expect(remarks.join()).toMatch(/re-joining/)
    expect(values).toEqual(valuesOf(sent))
  })
})

describe('sealstream read', () => {
  test('writes every message to a file and has closed it when it ends', async () => {
    const file = join(place.folder, 'values.txt')
    const { code, stderr } = await runCommand([
      'read',
      sealed,
      '--values',
      '-o',
      file,
      '--config',
      config,
    ])
    expect([code, stderr]).toEqual([0, ''])
    const lines = readFileSync(file, 'utf8').split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.sort()).toEqual(valuesOf(messages))
  })

  test.runIf(existsSync('/dev/full'))('says in one line that the disk is full', async () => {
    const { code, stderr } = await runCommand([
      'read',
      sealed,
      '-o',
      '/dev/full',
      '--config',
      config,
    ])
    expect(stderr).toBe(
      'sealstream: /dev/full cannot be written: no space left on device [SEAL_OUTPUT_FAILED]\n',
    )
    expect(code).toBe(1)
  })

  test('as tail begins so far before the end of each partition, and goes on', async () => {
    const tail = (...args: string[]) =>
      runCommand(['tail', sealed, '--values', ...args, '--config', config])
    const [back, max] = [40, 20]
    const { code, stdout } = await tail('--lines', String(back), '--max', String(max))
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(max)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const inOrder = messages.filter((one) => one.partition === partition)
      const values = inOrder.map(({ value }) => String(value))
      const found = lines.filter((line) => values.includes(line))
      const from = found[0] === undefined ? values.length : values.indexOf(found[0])
      // Ends of transactions have offsets too.
      expect(from).toBeGreaterThan(values.length - back)
      expect(found).toEqual(values.slice(from, from + found.length))
    }
  })
})
