import type { Admin } from 'kafkajs'
import { createKafka } from '../../src/adapters/kafka/kafka-client.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { meanBytesOf, type Shape, templatesOf } from '../kafka/contents.ts'
import { fillTopic, ProducedLog } from '../kafka/fill.ts'
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
    figures = await watchRoad([encryptor], stack, log.messages, options.isGcTraced ?? false)
  } finally {
    await encryptor.stop()
  }
  return verifiedRow(stack, topic, options, log, log.fillSeconds, figures)
}

/** Holds what was published against what was produced, and adds it all up. */
export async function verifiedRow(
  stack: BenchStack,
  topic: string,
  options: RoadOptions,
  log: ProducedLog,
  fillSeconds: number,
  figures: RoadFigures,
): Promise<RoadRow> {
  process.stderr.write('comparing references with what was produced\n')
  const verified = await verifyRoad(stack, topic, log, benchEnd())
  const { partitions, domains, mapping, overrides, messages } = options
  const asked = { messages, partitions, domains, mapping, overrides }
  const valueBytes = meanBytesOf(options)
  return { ...asked, valueBytes, fillSeconds, ...figures, ...verified }
}

/** What a topic was filled with. */
type FilledLog = ProducedLog & { readonly fillSeconds: number }

/** Creates a topic and fills it with messages of a shape. */
export async function fill(
  stack: BenchStack,
  topic: string,
  options: Shape & Pick<RoadOptions, 'messages' | 'partitions'>,
): Promise<FilledLog> {
  await createTopic(stack, topic, options.partitions)
  const log = new ProducedLog(topic, options.partitions)
  const fillSeconds = await addMessages(stack, log, options.messages, options)
  return Object.assign(log, { fillSeconds })
}

/** Adds messages of a shape to a topic that exists, and tells how long it took. */
export async function addMessages(
  stack: BenchStack,
  log: ProducedLog,
  messages: number,
  shape: Shape,
): Promise<number> {
  const beganMs = performance.now()
  const [broker = ''] = stack.kafka.brokers
  await fillTopic(broker, log, messages, templatesOf(shape))
  const seconds = (performance.now() - beganMs) / 1000
  process.stderr.write(`${log.topic}: ${messages} messages filled in ${seconds.toFixed(1)} s\n`)
  return seconds
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

/** What Node is told when an encryptor is measured. */
export function nodeFlagsOf({ cpuProf, isGcTraced = false }: RoadOptions): string[] {
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
