import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type StackEndpoints, stackStatus } from '../docker/stack/stack.ts'
import { cpuSecondsOf } from '../examples/demo/cpu-time.ts'
import { systemClock } from '../src/clock.ts'
import { type ReencryptionPlace, withReencryption } from '../src/compose/reencryption.ts'
import { loadConfig } from '../src/config/load-config.ts'
import type { Config } from '../src/config/schema.ts'
import { reencryptAll } from '../src/reencryption/job.ts'
import { itemsInScope } from '../src/reencryption/plan.ts'
import { withBenchStack } from './bench-stack.ts'
import { sealSegments } from './sealed-segments.ts'

/** How the benchmark of re-encryption is set. */
export interface ReencryptionBench {
  readonly gigabytes: number
  readonly repeats: number
  /** How many of the shapes of segments; all of them by default. */
  readonly shapes?: number
}

/** One pass over everything that was sealed. */
export interface ReencryptionRow {
  readonly segmentBytes: number
  readonly valueBytes: number
  readonly bytes: number
  readonly elapsedMs: number
  /** CPU seconds a gigabyte: of this process, and of each service. */
  readonly cpuSecondsPerGb: Readonly<Record<string, number>>
}

const MIB = 1024 * 1024
const CASES = [
  { segmentBytes: 64 * MIB, valueBytes: 1024 },
  { segmentBytes: 64 * MIB, valueBytes: 16 * 1024 },
  { segmentBytes: 2 * MIB, valueBytes: 1024 },
]

/** Re-encrypts segments of several shapes on real services, each of them again and again. */
export async function reencryption(bench: ReencryptionBench): Promise<ReencryptionRow[]> {
  return withBenchStack(async (stack, directory) => {
    const rows: ReencryptionRow[] = []
    for (const [i, shape] of CASES.slice(0, bench.shapes).entries()) {
      const config = configOf(stack, directory, `bench${i}`)
      const segments = Math.ceil((bench.gigabytes * 1e9) / shape.segmentBytes)
      process.stderr.write(`sealing ${segments} segments of ${shape.segmentBytes} bytes\n`)
      const dekId = await sealSegments(config, { ...shape, segments })
      const passes = await passesOver(config, directory, dekId, bench.repeats)
      rows.push(...passes.map((row) => ({ ...shape, ...row })))
    }
    return rows
  })
}

type Pass = Omit<ReencryptionRow, 'segmentBytes' | 'valueBytes'>

/** The first pass warms threads, compilers and caches up and is not counted. */
async function passesOver(
  config: Config,
  directory: string,
  firstDekId: string,
  repeats: number,
): Promise<Pass[]> {
  const { parts } = await stackStatus(directory)
  const servers = Object.fromEntries(parts.map(({ part, pid }) => [part, pid ?? 0]))
  const silent = () => {}
  const observer = {
    ...{ waiting: silent, recovered: silent, keyEventsUnwritten: silent },
    ...{ keyEventsLost: silent, keyRecordsFailed: silent },
  }
  const limits = {
    ...{ threads: 0, bytesPerSecond: Number.POSITIVE_INFINITY },
    kmsCallsPerSecond: Number.POSITIVE_INFINITY,
  }
  const use = {
    actor: 'bench',
    ...limits,
    leaving: null,
    liveFirst: null,
    observer,
    signal: new AbortController().signal,
  }
  return withReencryption(config, use, async (place) => {
    const passes: Pass[] = []
    let dekId = firstDekId
    for (let repeat = -1; repeat < repeats; repeat++) {
      const pass = await onePass(place, dekId, servers)
      process.stderr.write(`${(pass.bytes / 1e3 / pass.elapsedMs).toFixed(0)} MB/s\n`)
      if (repeat >= 0) passes.push(pass)
      for await (const { replaced } of place.sources.mapping.segmentsOfDek(dekId)) {
        dekId = replaced?.byDekId ?? dekId
      }
    }
    return passes
  })
}

async function onePass(
  { services, sources }: ReencryptionPlace,
  dekId: string,
  servers: Readonly<Record<string, number>>,
): Promise<Pass> {
  const startedAtMs = systemClock.elapsedMs()
  const [ownBefore, before] = [process.cpuUsage(), cpuSecondsOf(servers)]
  const items = itemsInScope(sources, { dekId }, systemClock.nowMs())
  const settings = { atOnce: 8, signal: new AbortController().signal, onDone: () => {} }
  const { bytes, failures } = await reencryptAll(services, items, settings)
  if (failures.length > 0) throw failures[0]?.error
  const elapsedMs = systemClock.elapsedMs() - startedAtMs
  const [own, after] = [process.cpuUsage(ownBefore), cpuSecondsOf(servers)]
  const perGb = (seconds: number) => seconds / (bytes / 1e9)
  const ofServers = Object.entries(after ?? {}).map(([name, seconds]) => [
    name,
    perGb(seconds - (before?.[name] ?? 0)),
  ])
  const ours = perGb((own.user + own.system) / 1e6)
  return { bytes, elapsedMs, cpuSecondsPerGb: { ours, ...Object.fromEntries(ofServers) } }
}

function configOf(stack: StackEndpoints, directory: string, name: string): Config {
  const { kafka, cassandra, s3, kms } = stack
  const { keyId, ...aws } = kms
  const file = join(directory, `${name}.yaml`)
  const tree = {
    kafka: { brokers: kafka.brokers, topics: [name], groupId: name },
    s3: { ...s3, prefix: name },
    cassandra: { ...cassandra, keyspace: name, replicationFactor: 1 },
    kms: { keyId, aws },
    window: { ageMs: '6h', messagesMax: 1_000_000_000, bytesMax: '64GiB' },
    http: { enabled: false },
  }
  writeFileSync(file, stringify(tree), { mode: 0o600 })
  return loadConfig({ file, env: {} }).config
}

/** The passes as a table for a terminal. */
export function renderReencryptionBench(rows: readonly ReencryptionRow[]): string {
  const names = ['ours', 's3', 'cassandra', 'kafka', 'kms']
  const head = ['segment', 'message', 'MB/s', ...names.map((name) => `${name} s/GB`)]
  const cells = rows.map((row) => [
    `${row.segmentBytes / MIB} MiB`,
    `${row.valueBytes} B`,
    (row.bytes / 1e3 / row.elapsedMs).toFixed(0),
    ...names.map((name) => (row.cpuSecondsPerGb[name] ?? 0).toFixed(2)),
  ])
  const line = (texts: readonly string[]) => texts.map((text) => text.padStart(15)).join('')
  return `${[head, ...cells].map(line).join('\n')}\n`
}
