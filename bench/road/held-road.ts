import type { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { markAgain } from '../host/usage.ts'
import { writtenBack } from '../host/written-back.ts'
import { ProducedLog } from '../kafka/fill.ts'
import {
  addMessages,
  createTopic,
  nodeFlagsOf,
  type RoadOptions,
  type RoadRow,
  verifiedRow,
} from './road.ts'
import { type Begin, beginOf, watchRoad } from './road-watch.ts'
import { startEncryptor } from './start-encryptor.ts'

/** What it took before the first message that is measured: a window for each key domain. */
export interface Priming {
  readonly seconds: number
  readonly deks: number
  readonly kmsCalls: number
  /** Of all processes together. */
  readonly cpuSeconds: number
}

/** A measurement of encryptors that were held still until there was something to do. */
export interface HeldRow extends RoadRow {
  readonly priming: Priming
}

/** Enough for a window in each of a thousand key domains, and for what runs once only. */
const PRIMING_MESSAGES = 2_048
const HELD_SESSION_MS = 300_000
const JOINED_TRIES_MAX = 600
const JOINED_RETRY_MS = 100

/**
 * As `measureRoad`, by any number of processes of one group that are at work already: they share an empty
 * topic, seal a few messages of every key domain, and stand still while it is filled. So neither the start of
 * a process, nor a rebalance, nor the making of data keys that serve for an hour is in the figures of a
 * message; what the keys took is told apart.
 */
export async function measureHeld(
  stack: BenchStack,
  topic: string,
  options: RoadOptions,
  processes = 1,
): Promise<HeldRow> {
  const { partitions, messages } = options
  await createTopic(stack, topic, partitions)
  const log = new ProducedLog(topic, partitions)
  const encryptors = await startAll(stack, topic, options, processes)
  try {
    await joined(encryptors, partitions)
    const priming = await prime(stack, encryptors, log, options)
    const { begin, fillSeconds } = await heldStill(encryptors, stack, () =>
      addMessages(stack, log, messages, options),
    )
    const isGcTraced = options.isGcTraced ?? false
    const figures = await watchRoad(encryptors, stack, messages, isGcTraced, begin)
    await stopAll(encryptors)
    const row = await verifiedRow(stack, topic, options, log, fillSeconds, figures)
    return { ...row, priming }
  } finally {
    await stopAll(encryptors)
  }
}

function startAll(
  stack: BenchStack,
  topic: string,
  options: RoadOptions,
  processes: number,
): Promise<EncryptorProcess[]> {
  // The group must not miss them while they stand still.
  const overrides = [...options.overrides, `kafka.sessionTimeoutMs=${HELD_SESSION_MS}`]
  const flags = nodeFlagsOf(options)
  const starting = Array.from({ length: processes }, (_, i) =>
    startEncryptor(stack, topic, [topic], { ...options, overrides }, flags, `${topic}-${i + 1}`),
  )
  return Promise.all(starting)
}

async function stopAll(encryptors: readonly EncryptorProcess[]): Promise<void> {
  await Promise.all(encryptors.map((encryptor) => encryptor.stop()))
}

/** Resolves once every process has a share of the partitions, and all are given away. */
async function joined(encryptors: readonly EncryptorProcess[], partitions: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    const pages = await Promise.all(encryptors.map((encryptor) => encryptor.metrics()))
    const held = pages.map((page) => page?.sum('sealstream_assigned_partitions') ?? 0)
    const sum = held.reduce((all, count) => all + count, 0)
    if (sum === partitions && held.every((count) => count > 0)) return
    if (tries === JOINED_TRIES_MAX) {
      throw new Error(`of ${partitions} partitions the processes hold ${held.join(' and ')}`)
    }
    await systemClock.sleep(JOINED_RETRY_MS, benchEnd())
  }
}

async function prime(
  stack: BenchStack,
  encryptors: readonly EncryptorProcess[],
  log: ProducedLog,
  options: RoadOptions,
): Promise<Priming> {
  const begin = await beginOf(encryptors, stack)
  await addMessages(stack, log, PRIMING_MESSAGES, options)
  const figures = await watchRoad(encryptors, stack, PRIMING_MESSAGES, false, begin)
  const { seconds, deks, kmsCalls, cpuMicros } = figures
  const micros = Object.values(cpuMicros).reduce((sum, us) => sum + us, 0)
  return { seconds, deks, kmsCalls, cpuSeconds: (micros * PRIMING_MESSAGES) / 1e6 }
}

/** Does something while the processes stand still, and tells how long it took and where they begin again. */
async function heldStill(
  encryptors: readonly EncryptorProcess[],
  stack: BenchStack,
  work: () => Promise<number>,
): Promise<{ begin: Begin; fillSeconds: number }> {
  const before = await beginOf(encryptors, stack)
  for (const { pid } of encryptors) process.kill(pid, 'SIGSTOP')
  try {
    const fillSeconds = await work()
    await writtenBack()
    // What the work took of the services is not the road's.
    return { begin: { ...before, mark: markAgain(before.mark, encryptors, stack) }, fillSeconds }
  } finally {
    for (const { pid } of encryptors) process.kill(pid, 'SIGCONT')
  }
}
