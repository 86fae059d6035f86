import { readFileSync } from 'node:fs'
import { type CpuSeconds, cpuMicrosPerMessage, cpuSecondsOf } from '../../examples/demo/cpu-time.ts'
import type { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import type { MetricsPage } from '../../examples/demo/metrics-page.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type Dollars, dollarsPerMillion } from '../host/prices.ts'
import { logEnd, readsAndWrites, requestsSince, type S3Requests } from '../host/s3-requests.ts'
import { cpuSecondsByThread, rssBytesMaxOf } from '../host/thread-time.ts'

/** How many references were committed at a moment since the first message was packed. */
export interface Progress {
  readonly seconds: number
  readonly references: number
}

/** What the road took for all messages of a topic. */
export interface RoadFigures {
  /** From before the first message was packed until the last reference was committed. */
  readonly seconds: number
  readonly messagesPerSecond: number
  /** Between a tenth and nine tenths of the references: without start and last segments. */
  readonly sustainedPerSecond: number
  /** CPU microseconds a message, by process. */
  readonly cpuMicros: CpuSeconds
  /** The share of the encryptor in it, by thread. */
  readonly threadMicros: CpuSeconds
  readonly rssBytesMax: number | null
  /** Share of the time that the main thread stood still to collect garbage. */
  readonly mainGcShare: number
  /** The same of all threads together, in microseconds a message; null when it was not traced. */
  readonly gcMicros: number | null
  readonly segments: number
  readonly deks: number
  readonly kmsCalls: number
  readonly s3Requests: S3Requests
  readonly dollarsPerMillion: Dollars
  readonly progress: readonly Progress[]
}

const POLL_MS = 100
const STALLED_MS = 90_000

interface Mark {
  readonly atMs: number
  readonly cpu: CpuSeconds
  readonly threads: ReadonlyMap<string, number>
  readonly s3LogEnd: number
  readonly gcSeconds: number
}

/**
 * Watches an encryptor that has just been started until it has committed the references of all messages.
 * The clock starts at the last look before the first message was packed, so what it leaves out is the
 * start of the process alone, and what it takes in is at most one look too much.
 */
export async function watchRoad(
  encryptor: EncryptorProcess,
  stack: BenchStack,
  messages: number,
  isGcTraced: boolean,
): Promise<RoadFigures> {
  const stopping = benchEnd()
  let begin = markOf(encryptor, stack, null)
  let progress: Progress[] = []
  for (;;) {
    stopping.throwIfAborted()
    const page = await encryptor.metrics()
    const atMs = systemClock.elapsedMs()
    if ((page?.sum('sealstream_packed_messages_total') ?? 0) === 0) {
      begin = markOf(encryptor, stack, page)
      progress = []
    }
    const references = page?.sum('sealstream_published_references_total') ?? 0
    if (references > (progress.at(-1)?.references ?? -1)) {
      progress.push({ seconds: (atMs - begin.atMs) / 1000, references })
    }
    if (page !== null && references >= messages) {
      const end = markOf(encryptor, stack, page)
      const gcMicros = isGcTraced ? (tracedGcSeconds(encryptor.logPath) * 1e6) / messages : null
      const rssBytesMax = rssBytesMaxOf(encryptor.pid)
      return {
        ...figuresOf(begin, end, page, messages, stack),
        progress,
        rssBytesMax,
        gcMicros,
        sustainedPerSecond: sustained(progress),
      }
    }
    const stoodMs = atMs - begin.atMs - (progress.at(-1)?.seconds ?? 0) * 1000
    if (stoodMs > STALLED_MS || (page?.sum('sealstream_stopped_partitions') ?? 0) > 0) {
      throw encryptor.failure(`published ${references} of ${messages} and then stood still`)
    }
    await systemClock.sleep(POLL_MS, stopping)
  }
}

function markOf(encryptor: EncryptorProcess, stack: BenchStack, page: MetricsPage | null): Mark {
  const { kafka, cassandra, s3, kms } = stack.processes
  const leaders = { encryptor: encryptor.pid, kafka, cassandra, s3, kms }
  return {
    atMs: systemClock.elapsedMs(),
    cpu: cpuSecondsOf(leaders) ?? {},
    threads: cpuSecondsByThread(encryptor.pid),
    s3LogEnd: logEnd(stack.s3Log),
    gcSeconds: page?.sum('nodejs_gc_duration_seconds_sum') ?? 0,
  }
}

function figuresOf(begin: Mark, end: Mark, page: MetricsPage, messages: number, stack: BenchStack) {
  const seconds = (end.atMs - begin.atMs) / 1000
  const s3Requests = requestsSince(stack.s3Log, begin.s3LogEnd)
  const { reads, writes } = readsAndWrites(s3Requests)
  const kmsCalls = page.sum('sealstream_kms_calls_total')
  const cpuSeconds = (end.cpu.encryptor ?? 0) - (begin.cpu.encryptor ?? 0)
  const used = { messages, s3Writes: writes, s3Reads: reads, kmsCalls, cpuSeconds }
  const threads = (mark: Mark) => Object.fromEntries(mark.threads)
  return {
    seconds,
    messagesPerSecond: messages / seconds,
    cpuMicros: cpuMicrosPerMessage(begin.cpu, end.cpu, messages) ?? {},
    threadMicros: cpuMicrosPerMessage(threads(begin), threads(end), messages) ?? {},
    mainGcShare: (end.gcSeconds - begin.gcSeconds) / seconds,
    segments: page.sum('sealstream_sealed_segments_total'),
    deks: page.sum('sealstream_deks_created_total'),
    ...{ kmsCalls, s3Requests, dollarsPerMillion: dollarsPerMillion(used) },
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
