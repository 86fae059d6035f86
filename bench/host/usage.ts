import { type CpuSeconds, cpuMicrosPerMessage, cpuSecondsOf } from '../../examples/demo/cpu-time.ts'
import type { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import type { MetricsPage } from '../../examples/demo/metrics-page.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type Dollars, dollarsPerMillion } from './dollars.ts'
import { logEnd, readsAndWrites, requestsSince, type S3Requests } from './s3-requests.ts'
import { cpuSecondsByThread } from './thread-time.ts'

/** What everything had used up at a moment. */
export interface UsageMark {
  readonly atMs: number
  /** Encryptors. */
  readonly processes: number
  readonly cpu: CpuSeconds
  readonly threads: ReadonlyMap<string, number>
  readonly s3LogEnd: number
  readonly gcSeconds: number
  readonly segments: number
  readonly deks: number
  readonly kmsCalls: number
}

/** What messages took between two moments. */
export interface Usage {
  readonly seconds: number
  /** CPU microseconds a message, by process. */
  readonly cpuMicros: CpuSeconds
  /** The share of the encryptors in it, by thread. */
  readonly threadMicros: CpuSeconds
  /** Share of the time that a main thread stood still to collect garbage. */
  readonly mainGcShare: number
  readonly segments: number
  readonly deks: number
  readonly kmsCalls: number
  readonly s3Requests: S3Requests
  readonly dollarsPerMillion: Dollars
}

/** Looks at every process; what the encryptors count is as of their metrics pages. Several count as one. */
export function markUsage(
  encryptors: readonly EncryptorProcess[],
  stack: BenchStack,
  pages: readonly (MetricsPage | null)[],
): UsageMark {
  const sum = (name: string) => pages.reduce((all, page) => all + (page?.sum(name) ?? 0), 0)
  return {
    atMs: performance.now(),
    processes: encryptors.length,
    cpu: cpuOf(encryptors, stack),
    threads: threadsOf(encryptors),
    s3LogEnd: logEnd(stack.s3Log),
    gcSeconds: sum('nodejs_gc_duration_seconds_sum'),
    segments: sum('sealstream_sealed_segments_total'),
    deks: sum('sealstream_deks_created_total'),
    kmsCalls: sum('sealstream_kms_calls_total'),
  }
}

/** A later look at encryptors that did nothing since, and need not answer now. */
export function markAgain(
  mark: UsageMark,
  encryptors: readonly EncryptorProcess[],
  stack: BenchStack,
): UsageMark {
  const { atMs, cpu, threads, s3LogEnd } = markUsage(encryptors, stack, [])
  return { ...mark, atMs, cpu, threads, s3LogEnd }
}

/** What `messages` took between two looks; the second one was just now. */
export function usageBetween(
  begin: UsageMark,
  end: UsageMark,
  messages: number,
  stack: BenchStack,
): Usage {
  const seconds = (end.atMs - begin.atMs) / 1000
  const s3Requests = requestsSince(stack.s3Log, begin.s3LogEnd)
  const { reads, writes } = readsAndWrites(s3Requests)
  const kmsCalls = end.kmsCalls - begin.kmsCalls
  const cpuSeconds = (end.cpu.encryptor ?? 0) - (begin.cpu.encryptor ?? 0)
  const used = { messages, s3Writes: writes, s3Reads: reads, kmsCalls, cpuSeconds }
  const threads = (mark: UsageMark) => Object.fromEntries(mark.threads)
  return {
    seconds,
    cpuMicros: cpuMicrosPerMessage(begin.cpu, end.cpu, messages) ?? {},
    threadMicros: cpuMicrosPerMessage(threads(begin), threads(end), messages) ?? {},
    mainGcShare: (end.gcSeconds - begin.gcSeconds) / seconds / end.processes,
    segments: end.segments - begin.segments,
    deks: end.deks - begin.deks,
    ...{ kmsCalls, s3Requests, dollarsPerMillion: dollarsPerMillion(used) },
  }
}

function cpuOf(encryptors: readonly EncryptorProcess[], stack: BenchStack): CpuSeconds {
  const leaders = encryptors.map(({ pid }) => [String(pid), pid] as const)
  const all = cpuSecondsOf({ ...Object.fromEntries(leaders), ...stack.processes }) ?? {}
  const encryptor = leaders.reduce((sum, [name]) => sum + (all[name] ?? 0), 0)
  const services = Object.keys(stack.processes).map((name) => [name, all[name] ?? 0] as const)
  return { encryptor, ...Object.fromEntries(services) }
}

function threadsOf(encryptors: readonly EncryptorProcess[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const { pid } of encryptors) {
    for (const [name, seconds] of cpuSecondsByThread(pid)) {
      sums.set(name, (sums.get(name) ?? 0) + seconds)
    }
  }
  return sums
}
