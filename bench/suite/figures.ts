import type { CipherRow } from '../cipher.ts'
import type { LatencyRow } from '../latency/latency.ts'
import type { MappingRow } from '../mapping.ts'
import type { Row } from '../measure.ts'
import type { ServiceCost } from '../parts/service-cost.ts'
import type { ReencryptionRow } from '../reencryption.ts'
import { countFigure, cpuFigure, type Figure, wallFigure } from '../results/result-file.ts'
import type { RoadRow } from '../road/road.ts'
import type { StageRow } from '../stages/stages.ts'
import type { TurnsRow } from '../turns.ts'

const MIB = 1024 * 1024
const MILLION = 1e6

/** The figures of the cipher table. */
export function cipherFigures(rows: readonly CipherRow[]): Figure[] {
  return rows.flatMap(({ parcelBytes, arm, seal, open }) => [
    cpuFigure(`cipher/${parcelBytes} B/${arm}/seal`, seal.values),
    cpuFigure(`cipher/${parcelBytes} B/${arm}/open`, open.values),
  ])
}

/** The figures of the ladder in one process. */
export function ladderFigures(rows: readonly Row[]): Figure[] {
  return rows.map(({ valueBytes, stage, values }) =>
    cpuFigure(`in process/${valueBytes} B/${stage}`, values),
  )
}

/** The figures of one case of the road, over its repeats. */
export function roadFigures(name: string, rows: readonly RoadRow[]): Figure[] {
  const [first] = rows
  if (first === undefined) return []
  const of = (value: (row: RoadRow) => number) => rows.map(value)
  const all = (row: RoadRow) => Object.values(row.cpuMicros).reduce((sum, us) => sum + us, 0)
  const requests = (row: RoadRow) =>
    Object.values(row.s3Requests).reduce((sum, count) => sum + count, 0)
  const aMillion = (row: RoadRow, count: number) => (count * MILLION) / row.messages
  return [
    wallFigure(
      `${name}/rate`,
      of((row) => row.sustainedPerSecond),
      'msg/s',
      'higher',
    ),
    cpuFigure(`${name}/cpu/all`, of(all)),
    ...Object.keys(first.cpuMicros).map((process) =>
      cpuFigure(
        `${name}/cpu/${process}`,
        of((row) => row.cpuMicros[process] ?? 0),
      ),
    ),
    ...['MainThread', 'WorkerThread', 'V8Worker'].map((thread) =>
      cpuFigure(
        `${name}/thread/${thread}`,
        of((row) => row.threadMicros[thread] ?? 0),
      ),
    ),
    wallFigure(
      `${name}/memory`,
      of((row) => (row.rssBytesMax ?? 0) / MIB),
      'MiB',
      'lower',
    ),
    wallFigure(
      `${name}/S3 requests`,
      of((row) => aMillion(row, requests(row))),
      'a million',
      'lower',
    ),
    countFigure(
      `${name}/KMS calls`,
      of((row) => aMillion(row, row.kmsCalls)),
      'a million',
    ),
  ]
}

/** The figures of the road up to each stage. */
export function stageFigures(rows: readonly StageRow[]): Figure[] {
  return rows.flatMap(({ stage, valueBytes, runs }) =>
    Object.keys(runs[0]?.cpuMicros ?? {}).map((process) =>
      cpuFigure(
        `stages/${valueBytes} B/${stage}/${process}`,
        runs.map((run) => run.cpuMicros[process] ?? 0),
      ),
    ),
  )
}

/** The figures of work on services, a unit each. */
export function serviceFigures(name: string, unit: string, cost: ServiceCost): Figure[] {
  return [
    ...Object.entries(cost.cpu).map(([who, values]) =>
      cpuFigure(`${name}/cpu/${who}`, values, `us a ${unit}`),
    ),
    wallFigure(`${name}/rate`, cost.perSecond, `${unit}/s`, 'higher'),
  ]
}

/** The figures of the mapping in both modes. */
export function mappingFigures(rows: readonly MappingRow[]): Figure[] {
  return rows.flatMap((row) => {
    const name = `mapping/${row.mode}, ${row.stretch === 1 ? 'sources in turns' : `by ${row.stretch}`}`
    return [
      cpuFigure(`${name}/write/client`, row.writeClient.values),
      cpuFigure(`${name}/write/cassandra`, row.writeServer.values),
      cpuFigure(`${name}/read/client`, row.readClient.values),
      cpuFigure(`${name}/read/cassandra`, row.readServer.values),
      countFigure(`${name}/disk`, row.diskBytes.values, 'B'),
    ]
  })
}

/** The figures of latencies. One run gives one value of each. */
export function latencyFigures(rows: readonly LatencyRow[]): Figure[] {
  return rows.flatMap((row) => {
    const name = `latency/${row.profile}/${row.perSecond} msg/s`
    const stages = (['seal', 'durable', 'visible'] as const).flatMap((stage) => {
      const latencies = row[stage]
      if (latencies === null) return []
      const { p50Ms, p95Ms, p99Ms, p999Ms } = latencies
      const quantiles = { P50: p50Ms, P95: p95Ms, P99: p99Ms, 'P99.9': p999Ms }
      return Object.entries(quantiles).map(([quantile, ms]) =>
        wallFigure(`${name}/${stage}/${quantile}`, [ms], 'ms', 'lower'),
      )
    })
    return [wallFigure(`${name}/achieved`, [row.achievedPerSecond], 'msg/s', 'higher'), ...stages]
  })
}

/** The figures of turns of windows. */
export function turnsFigures(rows: readonly TurnsRow[]): Figure[] {
  return rows.map(({ windowAgeMs, waitsMs }) =>
    wallFigure(
      `turns/windows of ${windowAgeMs} ms/longest wait`,
      [waitsMs.at(-1) ?? 0],
      'ms',
      'lower',
    ),
  )
}

/** The figures of re-encryption. */
export function reencryptionFigures(rows: readonly ReencryptionRow[]): Figure[] {
  const shapes = Map.groupBy(
    rows,
    ({ segmentBytes, valueBytes }) => `${segmentBytes / MIB} MiB of ${valueBytes} B`,
  )
  return [...shapes].flatMap(([shape, passes]) =>
    Object.keys(passes[0]?.cpuSecondsPerGb ?? {}).map((who) =>
      cpuFigure(
        `re-encryption/${shape}/${who}`,
        passes.map((pass) => (pass.cpuSecondsPerGb[who] ?? 0) * 1000),
        'ms a GB',
      ),
    ),
  )
}
