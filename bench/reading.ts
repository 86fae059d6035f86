import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { type StackEndpoints, stackStatus } from '../docker/stack/stack.ts'
import { cpuMicrosPerMessage, cpuSecondsOf } from '../examples/demo/cpu-time.ts'
import { loadKafkajs } from '../src/adapters/kafka/load-kafkajs.ts'
import { systemClock } from '../src/clock.ts'
import { withBenchStack } from './bench-stack.ts'
import type { ReadingAnswer, ReadingOrder, ReadingWay } from './reading-consumer.ts'

/** How the benchmark of reading is set. */
export interface ReadingBench {
  readonly messages: number
  readonly repeats: number
  readonly seconds: number
  readonly ways: readonly ReadingWay[]
}

/** One pass. */
export interface ReadingRow extends ReadingAnswer {
  readonly way: ReadingWay
  /** CPU microseconds a message, by service. */
  readonly serverUs: Readonly<Record<string, number>>
}

const TOPIC = 'reading'
const PARTITIONS = 4
const VALUE_BYTES = 1_024
const BATCH_MESSAGES = 500
const POINTS_PER_SECOND = 200
const CHILD = resolve(import.meta.dirname, 'reading-consumer.ts')
const CLI = resolve(import.meta.dirname, '../src/cli/main.ts')
const run = promisify(execFile)

/** The ways in which messages are read. */
export const READING_WAYS = ['each-message', 'each-batch', 'open-many', 'points'] as const

/** Seals 1 KiB messages by the whole road and reads them in every way, each in a process of its own. */
export async function reading(bench: ReadingBench): Promise<ReadingRow[]> {
  const passes = async (stack: StackEndpoints, directory: string) => {
    await seal(stack, directory, bench.messages)
    const { parts } = await stackStatus(directory)
    const servers = Object.fromEntries(parts.map(({ part, pid }) => [part, pid ?? 0]))
    const rows: ReadingRow[] = []
    for (let repeat = 0; repeat < bench.repeats; repeat++) {
      for (const way of bench.ways) rows.push(await onePass(stack, directory, servers, way, bench))
    }
    return rows
  }
  return withBenchStack(passes, { keepsS3Connections: true })
}

async function onePass(
  stack: StackEndpoints,
  directory: string,
  servers: Readonly<Record<string, number>>,
  way: ReadingWay,
  { messages, seconds }: ReadingBench,
): Promise<ReadingRow> {
  const { keyId, ...kms } = stack.kms
  const order: ReadingOrder = {
    ...{ way, messages, seconds, perSecond: POINTS_PER_SECOND },
    ...{ brokers: stack.kafka.brokers, topic: `${TOPIC}.sealed` },
    reader: { s3: { ...stack.s3, prefix: TOPIC }, kms: { ...kms, allowedKeyIds: [keyId] } },
  }
  const file = join(directory, 'order.json')
  writeFileSync(file, JSON.stringify(order), { mode: 0o600 })
  const before = cpuSecondsOf(servers)
  const flags = process.execArgv.filter((flag) => flag.startsWith('--cpu-prof'))
  const { stdout } = await run(process.execPath, [...flags, CHILD, file], { env: childEnv() })
  const answer = JSON.parse(stdout) as ReadingAnswer
  const serverUs = cpuMicrosPerMessage(before, cpuSecondsOf(servers), answer.messages) ?? {}
  const row = { way, ...answer, serverUs }
  process.stderr.write(renderReading([row]))
  return row
}

async function seal(stack: StackEndpoints, directory: string, messages: number): Promise<void> {
  const { Kafka, logLevel } = loadKafkajs()
  const client = { clientId: 'bench', brokers: [...stack.kafka.brokers] }
  const kafka = new Kafka({ ...client, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await Promise.all([admin.connect(), producer.connect()])
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] })
  const encryptor = spawn(process.execPath, [CLI, 'run', '--config', configOf(stack, directory)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: childEnv(),
  })
  process.stderr.write(`sealing ${messages} messages\n`)
  for (let sent = 0, turn = 0; sent < messages; turn++) {
    const count = Math.min(BATCH_MESSAGES, messages - sent)
    const partition = turn % PARTITIONS
    const batch = Array.from({ length: count }, () => ({
      partition,
      value: randomBytes(VALUE_BYTES),
    }))
    await producer.send({ topic: TOPIC, messages: batch, acks: 1 })
    sent += count
  }
  const sealed = async () => {
    if (encryptor.exitCode !== null) throw new Error('the encryptor ended before all was sealed')
    try {
      const [committed] = await admin.fetchOffsets({ groupId: TOPIC, topics: [TOPIC] })
      const offsets = (committed?.partitions ?? []).map(({ offset }) => Math.max(0, Number(offset)))
      return offsets.reduce((sum, offset) => sum + offset, 0)
    } catch (error) {
      // The coordinator of a new group takes a moment.
      if ((error as { retriable?: boolean }).retriable) return 0
      throw error
    }
  }
  while ((await sealed()) < messages) await systemClock.sleep(500)
  encryptor.kill('SIGTERM')
  await new Promise((done) => encryptor.once('exit', done))
  await Promise.all([admin.disconnect(), producer.disconnect()])
}

function configOf(stack: StackEndpoints, directory: string): string {
  const { kafka, cassandra, s3, kms } = stack
  const { keyId, ...aws } = kms
  const file = join(directory, 'reading.yaml')
  const tree = {
    kafka: { brokers: kafka.brokers, topics: [TOPIC], groupId: TOPIC },
    s3: { ...s3, prefix: TOPIC },
    cassandra: { ...cassandra, keyspace: TOPIC, replicationFactor: 1 },
    kms: { keyId, aws },
    http: { enabled: false },
    log: { level: 'warn' },
  }
  writeFileSync(file, stringify(tree), { mode: 0o600 })
  return file
}

function childEnv(): Record<string, string | undefined> {
  const entries = Object.entries(process.env)
  return Object.fromEntries(entries.filter(([name]) => !/^(SEALSTREAM_|AWS_)/.test(name)))
}

/** The passes as lines for a terminal. */
export function renderReading(rows: readonly ReadingRow[]): string {
  const lines = rows.map(({ way, messages, elapsedMs, cpuUs, gets, latenciesMs, serverUs }) => {
    const perSecond = Math.round((messages * 1_000) / elapsedMs)
    const servers = Object.entries(serverUs).map(([name, us]) => `${name} ${us.toFixed(1)}`)
    const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)]?.toFixed(1)
    const tail =
      latenciesMs.length === 0 ? '' : `; P50 ${at(0.5)} P95 ${at(0.95)} P99 ${at(0.99)} ms`
    const perMillion = Math.round((gets * 1e6) / messages)
    return `${way.padEnd(13)}${perSecond} messages/s, ${perMillion} GETs a million, CPU us a message: reader ${(cpuUs / messages).toFixed(1)}, ${servers.join(', ')}${tail}\n`
  })
  return lines.join('')
}
