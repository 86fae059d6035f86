import type { Latencies } from '../stats/histogram.ts'
import type { LatencyRow } from './latency.ts'

const HEAD = [
  'msg/s',
  'achieved',
  'latency',
  'P50 ms',
  'P95',
  'P99',
  'P99.9',
  'max',
  'CPU us',
  '$/million',
]

/** Rates and their latencies as a table for a terminal. */
export function renderLatency(rows: readonly LatencyRow[]): string {
  const lines = rows.flatMap((row) => {
    const cpu = Object.values(row.cpuMicros).reduce((sum, us) => sum + us, 0)
    const dollars = Object.values(row.dollarsPerMillion).reduce((sum, price) => sum + price, 0)
    const achieved = row.achievedPerSecond.toFixed(0)
    const whole = [cpu.toFixed(1), dollars.toFixed(3)]
    const share = ((row.achievedPerSecond / row.perSecond) * 100).toFixed(0)
    const came = `${row.visibleMessages} of ${row.messages} came, at ${share} % of the rate`
    const late = row.isKeptUp ? '' : `  does not keep up: ${came}`
    return [
      line([String(row.perSecond), achieved, 'sealing', ...cells(row.sealing)]),
      line(['', '', 'seal', ...cells(row.seal)]),
      line(['', '', 'durable', ...cells(row.durable)]),
      line(['', '', 'visible', ...cells(row.visible), ...whole]) + late,
    ]
  })
  const [first] = rows
  return `profile ${first?.profile}\n${[line(HEAD), ...lines].join('\n')}\n`
}

function cells(latencies: Latencies | null): string[] {
  if (latencies === null) return ['-', '-', '-', '-', '-']
  const { p50Ms, p95Ms, p99Ms, p999Ms, maxMs } = latencies
  return [p50Ms, p95Ms, p99Ms, p999Ms, maxMs].map((ms) => (ms < 10 ? ms.toFixed(2) : ms.toFixed(0)))
}

function line(texts: readonly string[]): string {
  return texts.map((text) => text.padStart(10)).join('')
}
