import { readFileSync } from 'node:fs'
import type { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import type { MetricsPage } from '../../examples/demo/metrics-page.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { rssBytesMaxOf } from '../host/thread-time.ts'
import { markUsage, type Usage, type UsageMark, usageBetween } from '../host/usage.ts'

/** How many references were committed at a moment since the first message was packed. */
export interface Progress {
  readonly seconds: number
  readonly references: number
}

/** What one process had of the work. */
export interface Share {
  /** At the end. */
  readonly partitions: number
  readonly references: number
}

/** What the road took for all messages of a topic, from the first one packed to the last commit. */
export interface RoadFigures extends Usage {
  readonly messagesPerSecond: number
  /** Between a tenth and nine tenths of the references: without start and last segments. */
  readonly sustainedPerSecond: number
  /** Of the process that had the most. */
  readonly rssBytesMax: number | null
  /** What each process had of the work. */
  readonly shares: readonly Share[]
  /** Collections of all threads, in microseconds a message; null when they were not traced. */
  readonly gcMicros: number | null
  readonly progress: readonly Progress[]
}

const PUBLISHED = 'sealstream_published_references_total'
const POLL_MS = 100
const STALLED_MS = 90_000

/** Where encryptors stood that worked before. */
export interface Begin {
  readonly mark: UsageMark
  /** What they had published. */
  readonly references: number
}

/**
 * Watches encryptors until they have committed the references of so many messages. For those that have
 * just been started, the clock starts at the last look before the first message was packed, so what it leaves out is the
 * start of the processes alone, and what it takes in is at most one look too much; for others it starts at `from`.
 */
export async function watchRoad(
  encryptors: readonly EncryptorProcess[],
  stack: BenchStack,
  messages: number,
  isGcTraced: boolean,
  from?: Begin,
): Promise<RoadFigures> {
  const stopping = benchEnd()
  const progress: Progress[] = []
  let begin = from?.mark ?? markUsage(encryptors, stack, [])
  for (;;) {
    stopping.throwIfAborted()
    const atMs = performance.now()
    const pages = await Promise.all(encryptors.map((encryptor) => encryptor.metrics()))
    if (from === undefined && sumOf(pages, 'sealstream_packed_messages_total') === 0) {
      // Keys that were made ahead belong to the messages that they are for.
      begin = { ...markUsage(encryptors, stack, pages), deks: 0, kmsCalls: 0 }
      progress.length = 0
    }
    const references = sumOf(pages, PUBLISHED) - (from?.references ?? 0)
    if (references > (progress.at(-1)?.references ?? -1)) {
      progress.push({ seconds: (atMs - begin.atMs) / 1000, references })
    }
    if (references >= messages) {
      const usage = usageBetween(begin, markUsage(encryptors, stack, pages), messages, stack)
      const messagesPerSecond = messages / usage.seconds
      const figures = processFigures(encryptors, pages, isGcTraced ? messages : null)
      return {
        ...usage,
        messagesPerSecond,
        sustainedPerSecond: sustained(progress),
        ...figures,
        progress,
      }
    }
    const stoodMs = atMs - begin.atMs - (progress.at(-1)?.seconds ?? 0) * 1000
    if (stoodMs > STALLED_MS || sumOf(pages, 'sealstream_stopped_partitions') > 0) {
      const what = `published ${references} of ${messages} and then stood still`
      throw (encryptors[0] as EncryptorProcess).failure(what)
    }
    await systemClock.sleep(POLL_MS, stopping)
  }
}

/** Where encryptors stand now; they must not have anything to do. */
export async function beginOf(
  encryptors: readonly EncryptorProcess[],
  stack: BenchStack,
): Promise<Begin> {
  const pages = await Promise.all(encryptors.map((encryptor) => encryptor.metrics()))
  return { mark: markUsage(encryptors, stack, pages), references: sumOf(pages, PUBLISHED) }
}

function sumOf(pages: readonly (MetricsPage | null)[], name: string): number {
  return pages.reduce((sum, page) => sum + (page?.sum(name) ?? 0), 0)
}

/** What the processes know themselves; `messages` that collections are divided by, when they were traced. */
function processFigures(
  encryptors: readonly EncryptorProcess[],
  pages: readonly (MetricsPage | null)[],
  messages: number | null,
): Pick<RoadFigures, 'rssBytesMax' | 'shares' | 'gcMicros'> {
  const rssBytes = encryptors.flatMap(({ pid }) => rssBytesMaxOf(pid) ?? [])
  const gcSeconds = () => encryptors.reduce((sum, { logPath }) => sum + tracedGcSeconds(logPath), 0)
  return {
    rssBytesMax: rssBytes.length === 0 ? null : Math.max(...rssBytes),
    shares: pages.map((page) => ({
      partitions: page?.sum('sealstream_assigned_partitions') ?? 0,
      references: page?.sum(PUBLISHED) ?? 0,
    })),
    gcMicros: messages === null ? null : (gcSeconds() * 1e6) / messages,
  }
}

/** The rate between a tenth and nine tenths of all references. */
export function sustained(progress: readonly Progress[]): number {
  const all = progress.at(-1)?.references ?? 0
  const first = progress.find(({ references }) => references >= all * 0.1)
  const last = progress.findLast(({ references }) => references <= all * 0.9)
  if (first === undefined || last === undefined || last.seconds <= first.seconds) {
    return all / (progress.at(-1)?.seconds ?? 1)
  }
  return (last.references - first.references) / (last.seconds - first.seconds)
}

/** `[12:0x3a5c] 812 ms: Scavenge 53.2 (70.1) -> 41.0 (72.3) MB, pooled: 0 MB, 1.52 / 0.00 ms ...` */
const COLLECTION = /^\[\d+:0x[\da-f]+\]\s+\d+ ms: .* MB, .*?([\d.]+) \/ [\d.]+ ms/gm

function tracedGcSeconds(logPath: string): number {
  const log = readFileSync(logPath, 'latin1')
  return [...log.matchAll(COLLECTION)].reduce((sum, [, ms]) => sum + Number(ms) / 1000, 0)
}
