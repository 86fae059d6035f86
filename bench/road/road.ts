import type { Admin } from 'kafkajs'
import { createKafka } from '../../src/adapters/kafka/kafka-client.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import { type BenchStack, withBenchStack } from '../bench-stack.ts'
import { meanBytesOf, type Shape, templatesOf } from '../kafka/contents.ts'
import { fillTopic, type ProducedLog } from '../kafka/fill.ts'
import type { RoadSettings } from './road-config.ts'
import { type RoadFigures, watchRoad } from './road-watch.ts'
import { startEncryptor } from './start-encryptor.ts'
import { type Verified, verifyRoad } from './verify-road.ts'

const LED_TRIES_MAX = 100
const LED_RETRY_MS = 50

/** One measurement of the whole road. */
export interface RoadOptions extends Shape, RoadSettings {
  readonly messages: number
  readonly partitions: number
  /** Folder for CPU profiles of the encryptor. */
  readonly cpuProf?: string
  /** Have V8 tell of every collection in every thread, which the process's own metrics do not. */
  readonly isGcTraced?: boolean
}

/** What one measurement found. */
export interface RoadRow extends RoadFigures, Verified {
  readonly messages: number
  readonly valueBytes: number
  readonly partitions: number
  readonly domains: number
  readonly mapping: 'rows' | 'runs'
  readonly overrides: readonly string[]
  readonly fillSeconds: number
}

/** The whole road on services of its own, as {@link measureRoad} does it. */
export function road(options: RoadOptions): Promise<RoadRow> {
  return withBenchStack((stack) => measureRoad(stack, 'road', options), { isShortLived: true })
}

/**
 * Fills a new topic, then runs the encryptor as users run it until every reference is committed, and
 * holds the references against what was produced. Nothing else works meanwhile, so that what any process
 * spends is the road's.
 */
export async function measureRoad(
  stack: BenchStack,
  topic: string,
  options: RoadOptions,
): Promise<RoadRow> {
  const log = await fill(stack, topic, options)
  const encryptor = await startEncryptor(stack, topic, [topic], options, nodeFlagsOf(options))
  let figures: RoadFigures
  try {
    figures = await watchRoad(encryptor, stack, log.messages, options.isGcTraced ?? false)
  } finally {
    await encryptor.stop()
  }
  process.stderr.write('comparing references with what was produced\n')
  const verified = await verifyRoad(stack, topic, log, benchEnd())
  const { partitions, domains, mapping, overrides, messages } = options
  const asked = { messages, partitions, domains, mapping, overrides }
  const valueBytes = meanBytesOf(options)
  return { ...asked, valueBytes, fillSeconds: log.fillSeconds, ...figures, ...verified }
}

/** Creates a topic and fills it with messages of a shape. */
export async function fill(
  stack: BenchStack,
  topic: string,
  { messages, partitions, ...shape }: Shape & Pick<RoadOptions, 'messages' | 'partitions'>,
): Promise<ProducedLog & { readonly fillSeconds: number }> {
  await createTopic(stack, topic, partitions)
  const beganMs = performance.now()
  const [broker = ''] = stack.kafka.brokers
  const log = await fillTopic(broker, topic, partitions, messages, templatesOf(shape))
  const fillSeconds = (performance.now() - beganMs) / 1000
  process.stderr.write(`${topic}: ${messages} messages filled in ${fillSeconds.toFixed(1)} s\n`)
  return Object.assign(log, { fillSeconds })
}

/** Creates a topic. */
export async function createTopic(
  { kafka: { brokers } }: BenchStack,
  topic: string,
  numPartitions: number,
): Promise<void> {
  const kafka = createKafka({ brokers, clientId: 'bench', requestTimeoutMs: 30_000 })
  const admin = kafka.admin()
  await admin.connect()
  try {
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions }] })
    await led(admin, topic)
  } finally {
    await admin.disconnect()
  }
}

function nodeFlagsOf({ cpuProf, isGcTraced = false }: RoadOptions): string[] {
  return [
    ...(cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProf}`]),
    ...(isGcTraced ? ['--trace-gc'] : []),
  ]
}

/** Resolves once the broker itself knows that it leads all partitions, a moment after it said so. */
async function led(admin: Admin, topic: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await admin.fetchTopicOffsets(topic)
      return
    } catch (error) {
      if (tries === LED_TRIES_MAX) throw error
      await systemClock.sleep(LED_RETRY_MS, benchEnd())
    }
  }
}
