import type { HeldRow } from '../road/held-road.ts'
import { medianOf } from '../stats/median.ts'
import { cpuMicrosOf, type ScalingRow } from './scaling.ts'

const MIB = 1024 * 1024
const SERVICES = ['encryptor', 'cassandra', 's3', 'kafka', 'kms'] as const
const HEAD = [
  'us a message',
  'of the first',
  ...SERVICES,
  'msg/s',
  'RSS MiB',
  'segments',
  'KMS calls',
  'S3 requests',
]
const WIDTHS = [14, 14, 11, 11, 8, 8, 8, 10, 10, 10, 11, 13]

/** The lines of all axes for a terminal: medians, and each line's CPU as a ratio to the first of its axis. */
export function renderScaling(rows: readonly ScalingRow[]): string {
  const axes = Map.groupBy(rows, ({ axis, mapping }) => `${axis}, ${mapping}`)
  const tables = [...axes].map(([name, lines]) => {
    const first = median(lines.find(({ runs }) => runs.length > 0)?.runs ?? [], cpuMicrosOf)
    return [line(name, HEAD), ...lines.flatMap((row) => linesOf(row, first))].join('\n')
  })
  return `${tables.join('\n\n')}\n`
}

function linesOf({ axis, count, runs, failures }: ScalingRow, firstMicros: number): string[] {
  const failed = failures.map((reason) => `  ${count}  not measured: ${reason}`)
  if (runs.length === 0) return failed
  const micros = median(runs, cpuMicrosOf)
  const cells = [
    micros.toFixed(1),
    `${((micros / firstMicros) * 100).toFixed(0)} %`,
    ...SERVICES.map((name) => median(runs, ({ cpuMicros }) => cpuMicros[name] ?? 0).toFixed(1)),
    median(runs, ({ messagesPerSecond }) => messagesPerSecond).toFixed(0),
    (median(runs, ({ rssBytesMax }) => rssBytesMax ?? 0) / MIB).toFixed(0),
    ...[
      median(runs, ({ segments }) => segments),
      median(runs, ({ kmsCalls }) => kmsCalls),
      median(runs, ({ s3Requests }) =>
        Object.values(s3Requests).reduce((sum, requests) => sum + requests, 0),
      ),
    ].map((n) => n.toFixed(0)),
  ]
  const shares = axis === 'processes' ? shareLines(runs) : []
  return [line(`  ${count}`, cells), ...shares, ...failed]
}

function shareLines(runs: readonly HeldRow[]): string[] {
  return runs.map(({ shares }) => {
    const each = shares.map((one) => `${one.partitions} partitions, ${one.references} references`)
    return `    ${each.join('; ')}`
  })
}

function line(name: string, cells: readonly string[]): string {
  return `${name.padEnd(18)}${cells.map((text, i) => text.padStart(WIDTHS[i] ?? 0)).join('')}`
}

function median(runs: readonly HeldRow[], value: (row: HeldRow) => number): number {
  return medianOf(runs.map(value))
}
