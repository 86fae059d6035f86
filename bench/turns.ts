import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { stringify } from 'yaml'
import type { StackEndpoints } from '../docker/stack/stack.ts'
import { loadKafkajs } from '../src/adapters/kafka/load-kafkajs.ts'
import { systemClock } from '../src/clock.ts'
import { composeEncryptor } from '../src/compose/encryptor.ts'
import { loadConfig } from '../src/config/load-config.ts'
import { createHealth } from '../src/telemetry/health.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { TelemetryObserver } from '../src/telemetry/telemetry-observer.ts'
import { withBenchStack } from './bench-stack.ts'
import type { ProducerOrder } from './turns-producer.ts'

/** How the benchmark of turns is set. */
export interface TurnsOptions {
  readonly perSecond: number
  readonly seconds: number
}

/** What one run was like. */
export interface TurnsRow {
  readonly windowAgeMs: number
  readonly messages: number
  readonly producedPerSecond: number
  readonly publishedPerSecond: number
  readonly deks: number
  readonly kmsCalls: number
  /** How long a segment waited for its data key once there had been a first: all of them, sorted. */
  readonly waitsMs: readonly number[]
  /** From the oldest message of a transaction being packed until its commit, sorted. */
  readonly visibleMs: readonly number[]
}

const PARTITIONS = 4
const VALUE_BYTES = 200
const DRAIN_MS = 60_000
const SEGMENT_AGE = '500ms'
/** Turns every second; and, to compare with, none. */
const WINDOW_AGES_MS = [1_000, 3_600_000]
/** Unmeasured, so that compilers and caches of all processes are warm. */
const WARM_UP = { windowAgeMs: 2_000, seconds: 10 }

/** The most that a turn may hold up the road. */
export const STALL_MS_MAX = 50

/** The whole road on real services at an even pace, with windows that turn and with one that does not. */
export async function turns(options: TurnsOptions): Promise<TurnsRow[]> {
  return withBenchStack(async (stack, directory) => {
    process.stderr.write(`warming up for ${WARM_UP.seconds} s\n`)
    await run(stack, directory, WARM_UP.windowAgeMs, { ...options, seconds: WARM_UP.seconds })
    const rows: TurnsRow[] = []
    for (const windowAgeMs of WINDOW_AGES_MS) {
      process.stderr.write(`${options.seconds} s with windows of ${windowAgeMs} ms\n`)
      rows.push(await run(stack, directory, windowAgeMs, options))
    }
    return rows
  })
}

/** Keeps every single wait, where metrics keep buckets. */
class TurnWatch extends TelemetryObserver {
  readonly waitsMs: number[] = []
  readonly visibleMs: number[] = []
  deks = 0
  kmsCalls = 0
  messages = 0
  firstPackedAtMs: number | null = null
  lastPublishedAtMs = 0
  #firstDekAtMs = Number.POSITIVE_INFINITY

  override packed(...args: Parameters<TelemetryObserver['packed']>): void {
    this.firstPackedAtMs ??= systemClock.elapsedMs()
    super.packed(...args)
  }

  override dekCreated(...args: Parameters<TelemetryObserver['dekCreated']>): void {
    this.deks++
    this.#firstDekAtMs = Math.min(this.#firstDekAtMs, systemClock.elapsedMs())
    super.dekCreated(...args)
  }

  override keyAwaited(waitedMs: number): void {
    const beganAtMs = systemClock.elapsedMs() - waitedMs
    if (beganAtMs > this.#firstDekAtMs) this.waitsMs.push(waitedMs)
  }

  override kmsCall(): void {
    this.kmsCalls++
  }

  override published(messages: number, segments: number, tookMs: number, visibleMs: number): void {
    this.messages += messages
    this.visibleMs.push(visibleMs)
    this.lastPublishedAtMs = systemClock.elapsedMs()
    super.published(messages, segments, tookMs, visibleMs)
  }
}

async function run(
  stack: StackEndpoints,
  directory: string,
  windowAgeMs: number,
  { perSecond, seconds }: TurnsOptions,
): Promise<TurnsRow> {
  const topic = `turns-${windowAgeMs}`
  await createTopic(stack, topic)
  const logger = createLogger({ level: 'error' })
  const sinks = { metrics: createMetrics(), health: createHealth(), logger, clock: systemClock }
  const watch = new TurnWatch(sinks)
  const { config } = loadConfig({
    file: writeConfig(stack, directory, topic, windowAgeMs),
    env: {},
  })
  const encryptor = await composeEncryptor(config, watch, () => {})
  await encryptor.start()
  const order = { brokers: stack.kafka.brokers, topic, partitions: PARTITIONS, perSecond, seconds }
  const producedMs = await produce({ ...order, valueBytes: VALUE_BYTES })
  const total = perSecond * seconds
  const endMs = systemClock.elapsedMs() + DRAIN_MS
  while (watch.messages < total && systemClock.elapsedMs() < endMs) await systemClock.sleep(100)
  await encryptor.stop(DRAIN_MS)
  await encryptor.close()
  const publishedMs = watch.lastPublishedAtMs - (watch.firstPackedAtMs ?? 0)
  return {
    ...{ windowAgeMs, messages: watch.messages, deks: watch.deks, kmsCalls: watch.kmsCalls },
    producedPerSecond: (total / producedMs) * 1000,
    publishedPerSecond: (watch.messages / publishedMs) * 1000,
    waitsMs: watch.waitsMs.toSorted((a, b) => a - b),
    visibleMs: watch.visibleMs.toSorted((a, b) => a - b),
  }
}

async function createTopic({ kafka: { brokers } }: StackEndpoints, topic: string): Promise<void> {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    ...{ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS }] },
  })
  await admin.disconnect()
}

function produce(order: ProducerOrder): Promise<number> {
  const worker = new Worker(new URL('./turns-producer.ts', import.meta.url), { workerData: order })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

function writeConfig(
  { kafka, cassandra, s3, kms: { keyId, ...aws } }: StackEndpoints,
  directory: string,
  topic: string,
  windowAgeMs: number,
): string {
  const path = join(directory, `${topic}.yaml`)
  const tree = {
    kafka: { brokers: kafka.brokers, topics: [topic], groupId: topic },
    s3: { ...s3, prefix: topic },
    cassandra: { ...cassandra, replicationFactor: 1 },
    kms: { keyId, aws },
    segment: { ageMs: SEGMENT_AGE },
    window: { ageMs: `${windowAgeMs}ms` },
    http: { enabled: false },
  }
  writeFileSync(path, stringify(tree), { mode: 0o600 })
  return path
}

/** The runs as a table for a terminal. */
export function renderTurns(rows: readonly TurnsRow[]): string {
  const at = (sorted: readonly number[], share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const cells = (row: TurnsRow) => [
    row.windowAgeMs >= 60_000 ? 'no turn' : `${row.windowAgeMs / 1000} s windows`,
    row.producedPerSecond.toFixed(0),
    row.publishedPerSecond.toFixed(0),
    String(row.deks),
    String(row.waitsMs.length),
    at(row.waitsMs, 0.5).toFixed(1),
    at(row.waitsMs, 0.99).toFixed(1),
    at(row.waitsMs, 1).toFixed(1),
    String(row.waitsMs.filter((ms) => ms > STALL_MS_MAX).length),
    at(row.visibleMs, 0.5).toFixed(0),
    at(row.visibleMs, 0.99).toFixed(0),
  ]
  const head = [
    ...['', 'in/s', 'out/s', 'DEKs', 'waits', 'p50 ms', 'p99 ms', 'max ms'],
    ...[`>${STALL_MS_MAX} ms`, 'visible p50', 'p99 ms'],
  ]
  const line = (texts: readonly string[]) =>
    texts.map((text, i) => (i === 0 ? text.padEnd(13) : text.padStart(i < 9 ? 8 : 12))).join('')
  return `${[head, ...rows.map(cells)].map(line).join('\n')}\n`
}
