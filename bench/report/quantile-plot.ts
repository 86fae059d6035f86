import { escapeHtml } from './escape.ts'

/** Latencies of one stage at one rate: milliseconds by quantile, in the order of {@link QUANTILES}. */
export interface QuantileLine {
  readonly label: string
  readonly ms: readonly number[]
}

/** The quantiles of a plot. */
export const QUANTILES: readonly string[] = ['P50', 'P95', 'P99', 'P99.9']

const WIDTH = 900
const HEIGHT = 300
const LEFT = 70
const RIGHT = 300
const TOP = 16
const BOTTOM = 30
const LABEL_GAP = 14
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00']

/** Quantiles as lines over a logarithmic axis of milliseconds, as inline SVG. */
export function quantilePlot(lines: readonly QuantileLine[]): string {
  const all = lines.flatMap(({ ms }) => ms).filter((ms) => ms > 0)
  const low = Math.floor(Math.log10(Math.min(...all)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...all))))
  const y = (ms: number) =>
    TOP + ((high - Math.log10(Math.max(ms, 10 ** low))) * (HEIGHT - TOP - BOTTOM)) / (high - low)
  const x = (i: number) => LEFT + (i * (WIDTH - LEFT - RIGHT)) / (QUANTILES.length - 1)
  const grid = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).map(
    (ms) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(ms).toFixed(1)}" y2="${y(ms).toFixed(1)}" class="grid"/><text x="${LEFT - 8}" y="${(y(ms) + 4).toFixed(1)}" text-anchor="end">${ms} ms</text>`,
  )
  const ticks = QUANTILES.map(
    (name, i) => `<text x="${x(i)}" y="${HEIGHT - 8}" text-anchor="middle">${name}</text>`,
  )
  const ends = spread(lines.map(({ ms }) => y(ms.at(-1) ?? 1)))
  const curves = lines.map(({ label, ms }, i) => {
    const colour = COLOURS[i % COLOURS.length]
    const points = ms.map((value, q) => `${x(q).toFixed(1)},${y(value).toFixed(1)}`)
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/><text x="${WIDTH - RIGHT + 10}" y="${((ends[i] as number) + 4).toFixed(1)}" style="fill: ${colour}">${escapeHtml(label)}</text>`
  })
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="latencies">${grid.join('')}${ticks.join('')}${curves.join('')}</svg>`
}

/** Moves labels apart that would stand on each other, downwards. */
function spread(places: readonly number[]): number[] {
  const order = places.map((_, i) => i).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0))
  const moved = [...places]
  let least = Number.NEGATIVE_INFINITY
  for (const i of order) {
    moved[i] = Math.max(moved[i] as number, least)
    least = (moved[i] as number) + LABEL_GAP
  }
  return moved
}
