import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { messageToJson } from '../../src/cli/message-json.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { oddRecords, record } from '../support/records.ts'
import { expectSealedOnce, type OpenedReference } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

/** The first topic keeps the time of its producers, the second that of the broker. */
const place = new SealingPlace('road', 2)
const [createTimeTopic, appendTimeTopic] = place.topics as [string, string]
const UNKNOWN_DEK = '00000000-0000-4000-8000-00000000dead'
let kafka: KafkaFixture
let config: string
let produced: Message[]
/** Every reference of the first topic and what it opened to. */
let opened: OpenedReference[]

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(createTimeTopic, 4, { 'max.message.bytes': '4194304' })
  await kafka.createTopic(appendTimeTopic, 2, { 'message.timestamp.type': 'LogAppendTime' })
  config = place.config()
  const encryptor = new EncryptorProcess(config)
  await encryptor.ready()
  produced = [...(await produceByHand()), ...(await produceByTransactions())]
  const counts = place.topics.map((topic) => endsOf(produced.filter((at) => at.topic === topic)))
  await encryptor.until('done', async () => {
    const reached = place.topics.map((topic, i) =>
      kafka.hasReached(place.groupId, topic, counts[i] as Map<number, number>),
    )
    return (await Promise.all(reached)).every(Boolean)
  })
  expect((await encryptor.stop()).code).toBe(0)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

/** Offsets behind the last message of every partition. */
function endsOf(messages: readonly Message[]): Map<number, number> {
  const ends = new Map<number, number>()
  for (const { partition, offset } of messages) ends.set(partition, offset + 1)
  return ends
}

async function produceByHand(): Promise<Message[]> {
  const at = (partition: number, topic = createTimeTopic) => ({ topic, partition })
  return [
    ...(await kafka.append(at(0), oddRecords)),
    ...(await kafka.append(at(1), oddRecords, 'gzip')),
    ...(await kafka.append(at(2), oddRecords, 'zstd')),
    ...(await kafka.append(at(0, appendTimeTopic), oddRecords)),
    ...(await kafka.append(at(1, appendTimeTopic), oddRecords, 'gzip')),
    ...(await kafka.append(at(1, appendTimeTopic), oddRecords.slice(0, 3))),
  ]
}

/** Committed and aborted transactions in turn on partition 3; only the committed ones are messages. */
async function produceByTransactions(): Promise<Message[]> {
  const producer = await kafka.producer({
    transactionalId: place.name,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  const messages: Message[] = []
  for (let turn = 0; turn < 8; turn++) {
    const transaction = await producer.transaction()
    const values = [0, 1, 2].map((i) => Buffer.from(`transaction ${turn} value ${i}`))
    const timestampMs = 1_767_000_000_000n + BigInt(turn)
    const [appended] = await transaction.send({
      topic: createTimeTopic,
      messages: values.map((value) => ({ value, partition: 3, timestamp: String(timestampMs) })),
    })
    if (turn % 2 === 0) {
      await transaction.abort()
      continue
    }
    await transaction.commit()
    messages.push(
      ...values.map((value, i) => ({
        ...record({ value, key: null, timestampMs }),
        topic: createTimeTopic,
        partition: 3,
        offset: Number(appended?.baseOffset) + i,
        timestampType: 'create' as const,
      })),
    )
  }
  return messages
}

describe('the road, with a real process between real services,', () => {
  test('seals the oddest messages of four partitions exactly once, aborted ones never', async () => {
    const messages = produced.filter(({ topic }) => topic === createTimeTopic)
    opened = await expectSealedOnce(kafka, place, createTimeTopic, messages)
    const offsets = messages.filter(({ partition }) => partition === 3).map(({ offset }) => offset)
    expect(offsets.at(-1)).toBeGreaterThan(offsets.length)
  })

  test('keeps the time that the broker gave where the topic asks for it', async () => {
    const messages = produced.filter(({ topic }) => topic === appendTimeTopic)
    expect(new Set(messages.map(({ timestampType }) => timestampType))).toEqual(new Set(['append']))
    await expectSealedOnce(kafka, place, appendTimeTopic, messages)
  })
})

describe('sealstream read', () => {
  const readLines = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCommand(['read', '--config', config, ...args])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  const json = (message: Message) => JSON.stringify(messageToJson(message))

  test('prints every message as one JSON object a line, each partition in order', async () => {
    const lines = (await readLines(createTimeTopic)).trimEnd().split('\n')
    const ofPartition = (line: string) => JSON.parse(line).partition as number
    const sorted = lines.toSorted((a, b) => ofPartition(a) - ofPartition(b))
    expect(sorted).toEqual(opened.map(({ message }) => json(message)))
  })

  test('takes the name of the reference topic too, and ends after -n messages', async () => {
    const lines = (await readLines(`${createTimeTopic}.sealed`, '-n', '5')).trimEnd().split('\n')
    expect(lines).toHaveLength(5)
    const all = new Set(opened.map(({ message }) => json(message)))
    expect(lines.every((line) => all.has(line))).toBe(true)
  })

  test('prints bare values with --values', async () => {
    const { message, reference } = opened.find(
      ({ message }) => message.value !== null,
    ) as OpenedReference
    const text = await readLines('--reference', JSON.stringify({ v: 1, ...reference }), '--values')
    expect(text).toBe(`${Buffer.from(message.value ?? []).toString('utf8')}\n`)
  })

  test('writes to a file with --output, and nothing to stdout', async () => {
    const file = join(place.folder, 'messages.ndjson')
    expect(await readLines(appendTimeTopic, '--output', file)).toBe('')
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(produced.filter(({ topic }) => topic === appendTimeTopic).length)
    expect(lines.every((line) => JSON.parse(line).timestampType === 'append')).toBe(true)
  })

  test('opens one --reference without Kafka', async () => {
    const { reference, message } = opened[0] as OpenedReference
    const withoutKafka = place.config({ 'kafka.brokers': ['127.0.0.1:1'] })
    const value = JSON.stringify({ v: 1, ...reference })
    const args = ['read', '--config', withoutKafka, '--reference', value]
    expect(await runCommand(args)).toMatchObject({ code: 0, stdout: `${json(message)}\n` })
  })
})

describe('sealstream impact', () => {
  const impact = (...args: string[]) => runCommand(['impact', '--config', config, ...args])
  const listed = (stdout: string) => {
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    return lines.map(({ object, topic, partition, offset, position, length }) =>
      JSON.stringify({ object, topic, partition, offset, position, length }),
    )
  }

  test('of a KEK, named in full or by its bare id, counts and lists what references name', async () => {
    const all = await Promise.all(place.topics.map((topic) => kafka.references(topic)))
    const references = all.flat().map(({ reference }) => JSON.stringify(reference))
    const bare = place.stack.kms.keyId
    const { stdout } = await impact('--kek', bare, '--list')
    expect(listed(stdout).toSorted()).toEqual(references.toSorted())
    const arn = JSON.parse(stdout.slice(0, stdout.indexOf('\n'))).kekId as string
    expect(arn).toMatch(new RegExp(`^arn:aws:kms:.*:key/${bare}$`))
    const counted = { messages: references.length, segments: { intended: 0 } }
    expect(JSON.parse((await impact('--kek', arn, '--json')).stdout)).toMatchObject(counted)
    expect(JSON.parse((await impact('--kek', bare, '--json')).stdout)).toMatchObject(counted)
  })

  test('of every DEK lists exactly the references into its objects', async () => {
    const { stdout } = await impact('--kek', place.stack.kms.keyId, '--list')
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const deks = Map.groupBy(rows, ({ dekId }) => dekId as string)
    expect(deks.size).toBe(place.topics.length)
    const all = await Promise.all(place.topics.map((topic) => kafka.references(topic)))
    for (const [dekId, own] of deks) {
      const objects = new Set(own.map(({ object }) => object as string))
      const references = all.flat().filter(({ reference }) => objects.has(reference.object))
      const answer = await impact('--dek', dekId, '--list')
      expect(answer.code).toBe(0)
      expect(answer.stderr).toContain(`${references.length} messages`)
      expect(listed(answer.stdout).toSorted()).toEqual(
        references.map(({ reference }) => JSON.stringify(reference)).toSorted(),
      )
    }
  })

  test('of a DEK that is on no record ends with exit code 3 and one line', async () => {
    const answer = await impact('--dek', UNKNOWN_DEK)
    expect(answer).toMatchObject({ code: 3, stdout: '' })
    expect(answer.stderr).toMatch(new RegExp(`^sealstream: .*${UNKNOWN_DEK}.*\\n$`))
  })
})
