import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { stringify } from 'yaml'
import type { StackEndpoints } from '../docker/stack/stack.ts'
import { loadKafkajs } from '../src/adapters/kafka/load-kafkajs.ts'
import { systemClock } from '../src/clock.ts'
import { composeEncryptor } from '../src/compose/encryptor.ts'
import { withSharing } from '../src/compose/reencryption-crew.ts'
import { loadConfig } from '../src/config/load-config.ts'
import type { Config } from '../src/config/schema.ts'
import { itemsInScope } from '../src/reencryption/plan.ts'
import { shareOut } from '../src/reencryption/share-out.ts'
import { createHealth } from '../src/telemetry/health.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { TelemetryObserver } from '../src/telemetry/telemetry-observer.ts'
import { withBenchStack } from './bench-stack.ts'
import type { LoadOrder, SentBatch } from './live-load.ts'
import type { ReadingOrder, SeenBatch } from './live-references.ts'
import { SEALED_DOMAIN, sealSegments } from './sealed-segments.ts'

/** How the benchmark of re-encryption beside live sealing is set. */
export interface LiveReencryptionBench {
  readonly perSecond: number
  /** Of each block, besides the unmeasured begin of it. */
  readonly seconds: number
  readonly repeats: number
}

/** off: nothing is re-encrypted; greedy: without regard to sealing; yielding: as by default. */
export type LiveMode = 'off' | 'greedy' | 'yielding'

/** One block of one mode. */
export interface LiveBlock {
  readonly mode: LiveMode
  /** From the time at which a message was to be sent until its reference could be read, sorted. */
  readonly visibleMs: readonly number[]
  /** What parts took in their threads: sealing, upload and mapping, sorted. */
  readonly partMs: readonly number[]
  readonly reencryptedBytesPerSecond: number
  readonly messages: number
}

const MIB = 1024 * 1024
const PARTITIONS = 8
const VALUE_BYTES = 1024
/** Some of what the encryptor itself would have sealed before. */
const STOCK = { segments: 64, segmentBytes: 16 * MIB, valueBytes: VALUE_BYTES }
const WARM_UP_SECONDS = 6
const DRAIN_MS = 60_000
/** Until the reader has seen the last references. */
const READ_MS = 2_000
const MODES: readonly LiveMode[] = ['off', 'greedy', 'yielding']
/** Below this many orders the queue is filled up. */
const ORDERS_LEFT_MIN = 8
const FEED_EVERY_MS = 500

/** Blocks of all modes in turns, each beginning with another one, so that no mode has the best place. */
export async function liveReencryption(bench: LiveReencryptionBench): Promise<LiveBlock[]> {
  return withBenchStack(async (stack, directory) => {
    const config = configOf(stack, directory, 'stock', 'off')
    process.stderr.write(`sealing ${STOCK.segments} segments to be re-encrypted\n`)
    await sealSegments(config, STOCK)
    const blocks: LiveBlock[] = []
    for (let repeat = 0; repeat < bench.repeats; repeat++) {
      for (let turn = 0; turn < MODES.length; turn++) {
        const mode = MODES[(repeat + turn) % MODES.length] as LiveMode
        const block = await runBlock(stack, directory, `live-${repeat}-${turn}`, mode, bench)
        process.stderr.write(renderLiveReencryption([block]))
        blocks.push(block)
      }
    }
    return blocks
  })
}

/** Keeps every single time, where metrics keep buckets. */
class PartWatch extends TelemetryObserver {
  readonly partMs: number[] = []
  reencryptedBytes = 0
  isMeasured = false
  references = 0

  override partSealed(...args: Parameters<TelemetryObserver['partSealed']>): void {
    const [, , , { sealMs, uploadMs, mapMs }] = args
    if (this.isMeasured) this.partMs.push(sealMs + Math.max(uploadMs, mapMs))
    super.partSealed(...args)
  }

  override published(...args: Parameters<TelemetryObserver['published']>): void {
    this.references += args[0]
    super.published(...args)
  }

  override reencrypted(...args: Parameters<TelemetryObserver['reencrypted']>): void {
    if (this.isMeasured) this.reencryptedBytes += args[0].bytes
    super.reencrypted(...args)
  }
}

async function runBlock(
  stack: StackEndpoints,
  directory: string,
  topic: string,
  mode: LiveMode,
  { perSecond, seconds }: LiveReencryptionBench,
): Promise<LiveBlock> {
  const { brokers } = stack.kafka
  const config = configOf(stack, directory, topic, mode)
  await createTopic(brokers, topic)
  const sinks = { metrics: createMetrics(), health: createHealth(), clock: systemClock }
  const watch = new PartWatch({ ...sinks, logger: createLogger({ level: 'error' }) })
  const encryptor = await composeEncryptor(config, watch, () => {})
  await encryptor.start()
  const feeding = mode === 'off' ? null : startFeeding(config)
  const reader = await startReading({ brokers, topic: `${topic}.refs`, groupId: `${topic}-reader` })
  const loadSeconds = WARM_UP_SECONDS + seconds
  const order = { brokers, topic, partitions: PARTITIONS, perSecond, seconds: loadSeconds }
  const producing = produce({ ...order, valueBytes: VALUE_BYTES })
  await systemClock.sleep(WARM_UP_SECONDS * 1_000)
  const fromMs = systemClock.nowMs()
  watch.isMeasured = true
  const sent = await producing
  watch.isMeasured = false
  await feeding?.stop()
  const total = sent.reduce((sum, { count }) => sum + count, 0)
  const untilMs = systemClock.elapsedMs() + DRAIN_MS
  while (watch.references < total && systemClock.elapsedMs() < untilMs) await systemClock.sleep(50)
  await systemClock.sleep(READ_MS)
  const seen = await reader.end()
  await encryptor.stop(DRAIN_MS)
  await encryptor.close()
  const visibleMs = delaysOf(sent, seen, fromMs)
  return {
    ...{ mode, visibleMs, messages: visibleMs.length },
    partMs: watch.partMs.toSorted((a, b) => a - b),
    reencryptedBytesPerSecond: watch.reencryptedBytes / seconds,
  }
}

/** Of messages that were due from `fromMs` on. Throws when one of them was never seen. */
function delaysOf(
  sent: readonly SentBatch[],
  seen: readonly SeenBatch[],
  fromMs: number,
): number[] {
  const seenAtMs = new Map<number, Map<number, number>>()
  for (const { partition, offsets, atMs } of seen) {
    const ofPartition = seenAtMs.get(partition) ?? new Map<number, number>()
    seenAtMs.set(partition, ofPartition)
    for (const offset of offsets) if (!ofPartition.has(offset)) ofPartition.set(offset, atMs)
  }
  const delays: number[] = []
  for (const { partition, baseOffset, count, firstDueMs, stepMs } of sent) {
    for (let i = 0; i < count; i++) {
      const dueMs = firstDueMs + i * stepMs
      if (dueMs < fromMs) continue
      const atMs = seenAtMs.get(partition)?.get(baseOffset + i)
      if (atMs === undefined) throw new Error(`no reference to ${partition}/${baseOffset + i}`)
      delays.push(atMs - dueMs)
    }
  }
  return delays.sort((a, b) => a - b)
}

/** Keeps orders on the queue of the encryptor, for whatever was sealed for the benchmark. */
function startFeeding(config: Config): { stop(): Promise<void> } {
  const over = new AbortController()
  const feed = withSharing(config, async ({ queue, marks, sources }) => {
    const scope = { keyDomain: SEALED_DOMAIN }
    while (!over.signal.aborted) {
      if ((await queue.left()) < ORDERS_LEFT_MIN) {
        await shareOut({ queue, marks }, itemsInScope(sources, scope, systemClock.nowMs()), scope)
      }
      await systemClock.sleep(FEED_EVERY_MS, over.signal)
    }
  })
  return {
    async stop() {
      over.abort()
      await feed
    },
  }
}

async function createTopic(brokers: readonly string[], topic: string): Promise<void> {
  const { Kafka, logLevel } = loadKafkajs()
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const topics = [topic, `${topic}.refs`].map((name) => ({
    ...{ topic: name, numPartitions: PARTITIONS },
  }))
  await admin.createTopics({ waitForLeaders: true, topics })
  await admin.disconnect()
}

function produce(order: LoadOrder): Promise<readonly SentBatch[]> {
  const worker = new Worker(new URL('./live-load.ts', import.meta.url), { workerData: order })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

async function startReading(
  order: ReadingOrder,
): Promise<{ end(): Promise<readonly SeenBatch[]> }> {
  const worker = new Worker(new URL('./live-references.ts', import.meta.url), {
    workerData: order,
  })
  const answer = <T>() =>
    new Promise<T>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  await answer()
  return {
    async end() {
      const seen = answer<readonly SeenBatch[]>()
      worker.postMessage('end')
      return seen.finally(() => worker.terminate())
    },
  }
}

function configOf(
  { kafka, cassandra, s3, kms: { keyId, ...aws } }: StackEndpoints,
  directory: string,
  topic: string,
  mode: LiveMode,
): Config {
  const file = join(directory, `${topic}.yaml`)
  const tree = {
    kafka: {
      brokers: kafka.brokers,
      topics: [topic],
      groupId: topic,
      referenceTopicSuffix: '.refs',
    },
    s3: { ...s3, prefix: 'live' },
    cassandra: { ...cassandra, keyspace: 'live', replicationFactor: 1 },
    kms: { keyId, aws },
    reencryption: { enabled: mode !== 'off', yieldToSealing: mode === 'yielding' },
    http: { enabled: false },
  }
  writeFileSync(file, stringify(tree), { mode: 0o600 })
  return loadConfig({ file, env: {} }).config
}

/** The blocks as a table for a terminal, and what each mode's p99 is of that without re-encryption. */
export function renderLiveReencryption(blocks: readonly LiveBlock[]): string {
  const at = (sorted: readonly number[], share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const row = ({ mode, visibleMs, partMs, messages, ...rest }: LiveBlock) => [
    mode,
    String(messages),
    at(visibleMs, 0.5).toFixed(0),
    at(visibleMs, 0.99).toFixed(0),
    String(partMs.length),
    at(partMs, 0.5).toFixed(1),
    at(partMs, 0.99).toFixed(1),
    (rest.reencryptedBytesPerSecond / 1e6).toFixed(1),
  ]
  const all = MODES.map((mode) => {
    const ofMode = blocks.filter((block) => block.mode === mode)
    const sorted = (pick: (block: LiveBlock) => readonly number[]) =>
      ofMode.flatMap(pick).sort((a, b) => a - b)
    const mean = ofMode.reduce((sum, block) => sum + block.reencryptedBytesPerSecond, 0)
    return {
      ...{ mode, visibleMs: sorted((block) => block.visibleMs) },
      ...{ partMs: sorted((block) => block.partMs), messages: 0 },
      reencryptedBytesPerSecond: mean / Math.max(1, ofMode.length),
    }
  }).filter(({ visibleMs }) => visibleMs.length > 0)
  const head = ['', 'messages', 'visible p50', 'p99 ms', 'parts', 'part p50', 'p99 ms', 'MB/s']
  const line = (texts: readonly string[]) =>
    texts.map((text, i) => (i === 0 ? text.padEnd(12) : text.padStart(12))).join('')
  const lines = [head, ...blocks.map(row)].map(line)
  if (blocks.length > 1) {
    const sums = all.map((block) => ({ ...block, messages: block.visibleMs.length }))
    lines.push('all blocks', ...sums.map(row).map(line))
  }
  return `${lines.join('\n')}\n`
}
