import { numberText } from '../results/number-text.ts'
import type { Figure, ResultFile } from '../results/result-file.ts'
import { medianOf } from '../stats/median.ts'
import { type Bar, stackedBars } from './bars.ts'
import { escapeHtml } from './escape.ts'
import { QUANTILES, quantilePlot } from './quantile-plot.ts'

const STYLE = `
body { font: 14px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #1b1f24 }
h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #d0d7de }
table { border-collapse: collapse; width: 100%; font-size: 13px }
td, th { padding: .2em .6em; text-align: right; border-bottom: 1px solid #eaeef2; font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif } svg .grid { stroke: #eaeef2 }
svg text { fill: #1b1f24 } td svg { width: 140px; height: 12px; vertical-align: middle }
p { max-width: 45em } .warning { background: #fff3cd; padding: .5em 1em }`

const STRIP_WIDTH = 140
const PROCESSES = ['encryptor', 'kafka', 'cassandra', 's3', 'kms']

/** A run as one HTML page that needs nothing else: plots where they say more, and a table of every figure. */
export function renderReport(file: ResultFile): string {
  const { machine, mode, figures } = file
  const sections = [
    plotted('CPU of the whole road, microseconds a message', roadBars(figures)),
    plotted('CPU of the road up to each stage, microseconds a message', stageBars(figures)),
    latencyPlots(figures),
    ...[...Map.groupBy(figures, ({ name }) => name.split('/')[0] as string)].map(([name, own]) =>
      table(name, own),
    ),
  ]
  const isBusy = machine.loadAtStart > machine.cores
  const warning = isBusy
    ? `<p class="warning">The load was ${machine.loadAtStart.toFixed(1)} on ${machine.cores} cores before this began: somebody else was at work, so rates and latencies say little.</p>`
    : ''
  const facts = [
    machine.cpu,
    `${machine.cores} cores`,
    `${(machine.memoryBytes / 1024 ** 3).toFixed(0)} GiB`,
    `Node ${machine.node}`,
    `Linux ${machine.kernel}`,
    `load ${machine.loadAtStart.toFixed(1)} at the start`,
    `commit ${machine.commit ?? 'unknown'}`,
    machine.startedAt,
  ]
  const title = `sealstream benchmark, ${mode}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(facts.join(' · '))}</p>${warning}
<p>Every service runs on this machine, beside what is measured. CPU microseconds repeat on a shared machine; rates and latencies are those of this one. How it is measured: bench/README.md.</p>
${sections.join('\n')}
</body></html>
`
}

function plotted(title: string, bars: readonly Bar[]): string {
  if (bars.length === 0) return ''
  return `<h2>${escapeHtml(title)}</h2>${stackedBars(bars, 'us a message')}`
}

function roadBars(figures: readonly Figure[]): Bar[] {
  return barsOf(figures, /^road\/(.+)\/cpu\/(\w+)$/)
}

function stageBars(figures: readonly Figure[]): Bar[] {
  return barsOf(figures, /^stages\/(.+)\/(\w+)$/)
}

/** A bar of each first group of the pattern, with a piece for each process that the second one names. */
function barsOf(figures: readonly Figure[], pattern: RegExp): Bar[] {
  const bars = new Map<string, { name: string; value: number }[]>()
  for (const { name, values } of figures) {
    const [, label = '', process = ''] = pattern.exec(name) ?? []
    if (!PROCESSES.includes(process)) continue
    const pieces = bars.get(label) ?? []
    bars.set(label, pieces)
    pieces.push({ name: process, value: medianOf(values) })
  }
  return [...bars].map(([label, pieces]) => ({ label, pieces }))
}

function latencyPlots(figures: readonly Figure[]): string {
  const lines = new Map<string, number[]>()
  for (const { name, values } of figures) {
    const [, label = '', quantile = ''] = /^latency\/(.+)\/(P[\d.]+)$/.exec(name) ?? []
    const at = QUANTILES.indexOf(quantile)
    if (at === -1) continue
    const line = lines.get(label) ?? []
    lines.set(label, line)
    line[at] = medianOf(values)
  }
  const profiles = Map.groupBy(lines, ([label]) => label.slice(0, label.indexOf('/')))
  return [...profiles]
    .map(([profile, own]) => {
      const plot = quantilePlot(
        own.map(([label, ms]) => ({ label: label.slice(profile.length + 1), ms })),
      )
      return `<h2>${escapeHtml(`Latencies of an open loop, profile ${profile}`)}</h2>${plot}`
    })
    .join('')
}

function table(title: string, figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, kind, values }) => {
    const cells = [
      name.slice(title.length + 1) || name,
      numberText(medianOf(values)),
      unit,
      `${numberText(Math.min(...values))} to ${numberText(Math.max(...values))}`,
      kind,
    ]
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}<td>${strip(values)}</td></tr>`
  })
  const heads = ['', 'median', 'unit', 'spread', 'kind', 'repeats, from 0']
  return `<h2>${escapeHtml(title)}</h2><table><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr>${rows.join('')}</table>`
}

/** A dot for each repeat, on a line from 0 to the largest. */
function strip(values: readonly number[]): string {
  const most = Math.max(...values, Number.MIN_VALUE)
  const dots = values.map((value) => {
    const x = 4 + (value / most) * (STRIP_WIDTH - 8)
    return `<circle cx="${x.toFixed(1)}" cy="6" r="3" fill="#0072b2" fill-opacity="0.5"/>`
  })
  return `<svg viewBox="0 0 ${STRIP_WIDTH} 12" aria-hidden="true"><line x1="4" x2="${STRIP_WIDTH - 4}" y1="6" y2="6" class="grid"/>${dots.join('')}</svg>`
}
