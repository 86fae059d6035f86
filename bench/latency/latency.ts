import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import { type BenchStack, withBenchStack } from '../bench-stack.ts'
import { rssBytesMaxOf } from '../host/thread-time.ts'
import { markUsage, type Usage, usageBetween } from '../host/usage.ts'
import type { Shape } from '../kafka/contents.ts'
import { createTopic } from '../road/road.ts'
import type { RoadSettings } from '../road/road-config.ts'
import { startEncryptor } from '../road/start-encryptor.ts'
import type { Latencies } from '../stats/histogram.ts'
import type { Generated, GeneratorOrder } from './generator.ts'
import type { Sighting } from './probe.ts'
import { PROFILES, type ProfileName } from './profiles.ts'
import { slopePerSecond } from './slope.ts'
import { type Arrival, arrivalsUpTo, between, sinceIntended } from './timeline.ts'
import { ReferenceWatcher } from './watcher.ts'
import { answerOfWorker } from './worker-answer.ts'

/** How latencies are measured. */
export interface LatencyOptions extends Shape, RoadSettings {
  readonly profile: ProfileName
  readonly perSecond: number
  /** Of each rate; as many again come before the first one, unmeasured. */
  readonly seconds: number
  readonly partitions: number
  /** Goes on with higher rates until the road no longer keeps up. */
  readonly isSweep: boolean
}

/** What one rate was like. */
export interface LatencyRow extends Usage {
  readonly profile: ProfileName
  readonly perSecond: number
  /** At which references came in over the last three quarters of the time; by regression. */
  readonly achievedPerSecond: number
  readonly isKeptUp: boolean
  readonly messages: number
  readonly visibleMessages: number
  readonly generatorLateMsMax: number
  /** From the moment at which a part was full, or of age, until it was sealed: what sealing itself takes. */
  readonly sealing: Latencies | null
  /** From the fetch that brought a message until its part was sealed: the time in the open segment too. */
  readonly seal: Latencies | null
  /** From the intended time of sending until object and mapping were durable. */
  readonly durable: Latencies | null
  /** From the intended time of sending until a read_committed consumer had the reference. */
  readonly visible: Latencies | null
  readonly rssBytesMax: number | null
}

const STEP = 1.25
const STEPS_MAX = 12
/** Below this share of the rate the road does not keep up. */
const KEPT_UP_SHARE = 0.95
const WARM_UP_SECONDS = 10
/** From here on the compilers of the services give back what they spend, once a longer warm-up is over. */
const LONG_SECONDS = 60
const LONG_WARM_UP_SECONDS = 40
/** What comes later than this after the last message was due is not waited for. */
const TAIL_MS = 20_000
const PROBE = new URL('./probe.ts', import.meta.url).href

/** Latencies on services of their own, as {@link measureLatency} does it. */
export function latency(options: LatencyOptions): Promise<LatencyRow[]> {
  return withBenchStack((stack) => measureLatency(stack, options), {
    isShortLived: options.seconds < LONG_SECONDS,
  })
}

/**
 * Produces at an even pace, whatever comes back (open loop), and charges every message from the moment at
 * which it was meant to be sent, so that a stall counts for all that it held up. One encryptor serves
 * all rates, each with a topic of its own; it begins with a rate that is not measured.
 */
export async function measureLatency(
  stack: BenchStack,
  options: LatencyOptions,
): Promise<LatencyRow[]> {
  const { profile, partitions, perSecond, isSweep } = options
  const steps = isSweep ? STEPS_MAX : 1
  const names = ['warm-up', ...Array.from({ length: steps }, (_, i) => `step-${i}`)]
  const topics = names.map((name) => `latency-${profile}-${name}`)
  for (const topic of topics) await createTopic(stack, topic, partitions)
  const probeFile = join(stack.directory, `probe-${profile}.jsonl`)
  process.env.BENCH_PROBE_FILE = probeFile
  const settings = { ...options, overrides: [...PROFILES[profile], ...options.overrides] }
  const flags = ['--import', PROBE]
  const encryptor = await startEncryptor(stack, `latency-${profile}`, topics, settings, flags)
  const { brokers } = stack.kafka
  try {
    await encryptor.ready(benchEnd())
    const sealed = topics.map((topic) => `${topic}.sealed`)
    const watcher = await ReferenceWatcher.join({ brokers, topics: sealed })
    stack.defer(() => watcher.close())
    const rows: LatencyRow[] = []
    const scene = { stack, encryptor, watcher, probeFile, options }
    const isLong = options.seconds >= LONG_SECONDS
    const warmUp = isLong ? LONG_WARM_UP_SECONDS : Math.min(WARM_UP_SECONDS, options.seconds)
    await measureRate(scene, topics[0] as string, perSecond, warmUp)
    for (const [step, topic] of topics.slice(1).entries()) {
      const rate = Math.round(perSecond * STEP ** step)
      const row = await measureRate(scene, topic, rate, options.seconds)
      rows.push(row)
      if (!row.isKeptUp) break
    }
    await watcher.close()
    return rows
  } finally {
    await encryptor.stop()
  }
}

interface Scene {
  readonly stack: BenchStack
  readonly encryptor: EncryptorProcess
  readonly watcher: ReferenceWatcher
  readonly probeFile: string
  readonly options: LatencyOptions
}

async function measureRate(
  { stack, encryptor, watcher, probeFile, options }: Scene,
  topic: string,
  perSecond: number,
  seconds: number,
): Promise<LatencyRow> {
  process.stderr.write(`${topic}: ${perSecond} messages a second for ${seconds} s\n`)
  const { partitions, size, domains, profile } = options
  const [broker = ''] = stack.kafka.brokers
  const order = { broker, topic, partitions, perSecond, seconds, size, domains }
  const begin = markUsage([encryptor], stack, [await encryptor.metrics()])
  const { schedule, messages, lateMsMax } = await generate(order)
  const visible = await watcher.arrivals(`${topic}.sealed`, messages, TAIL_MS)
  const usage = usageBetween(
    begin,
    markUsage([encryptor], stack, [await encryptor.metrics()]),
    messages,
    stack,
  )
  // The probe writes twice a second.
  await systemClock.sleep(1_000)
  const { read, handed, sealed, durable } = sightings(probeFile, topic)
  const visibleMessages = visible.reduce((sum, { from, to }) => sum + to - from, 0)
  const achievedPerSecond = slopePerSecond(
    visible,
    schedule.startMs + seconds * 250,
    schedule.startMs + seconds * 1000,
  )
  return {
    ...{ profile, perSecond, achievedPerSecond, messages, visibleMessages },
    isKeptUp: achievedPerSecond >= perSecond * KEPT_UP_SHARE && visibleMessages === messages,
    generatorLateMsMax: lateMsMax,
    sealing: between(handed, sealed).latencies(),
    seal: between(read, sealed).latencies(),
    durable: sinceIntended(schedule, durable).latencies(),
    visible: sinceIntended(schedule, visible).latencies(),
    rssBytesMax: rssBytesMaxOf(encryptor.pid),
    ...usage,
  }
}

function generate(order: GeneratorOrder): Promise<Generated> {
  return answerOfWorker<Generated>(new URL('./generator.ts', import.meta.url), order)
}

function sightings(path: string, topic: string): Record<Sighting['stage'], Arrival[]> {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  const own = lines.map((line) => JSON.parse(line) as Sighting).filter((it) => it.topic === topic)
  const of = (stage: Sighting['stage']) => own.filter((it) => it.stage === stage)
  const arrivals = (stage: Sighting['stage']) => of(stage).map((it) => ({ from: 0, ...it }))
  return {
    read: arrivals('read'),
    handed: arrivals('handed'),
    sealed: arrivals('sealed'),
    durable: arrivalsUpTo(of('durable')),
  }
}
