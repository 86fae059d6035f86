import { numberText } from '../results/number-text.ts'
import { escapeHtml } from './escape.ts'

/** A bar of several pieces. */
export interface Bar {
  readonly label: string
  readonly pieces: readonly { readonly name: string; readonly value: number }[]
}

const WIDTH = 900
const LABEL_WIDTH = 300
const ROW_HEIGHT = 26
const BAR_HEIGHT = 16
const LEGEND_HEIGHT = 28
const TOTAL_WIDTH = 70
const CHARACTER_WIDTH = 7.2
const LEGEND_GAP = 34

/** Told apart by eyes that do not tell red from green (Okabe and Ito). */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442']

/** Horizontal bars of stacked pieces, with a legend and their totals, as inline SVG. */
export function stackedBars(bars: readonly Bar[], unit: string): string {
  const names = [...new Set(bars.flatMap(({ pieces }) => pieces.map(({ name }) => name)))]
  const colour = (name: string) => COLOURS[names.indexOf(name) % COLOURS.length] as string
  const totals = bars.map(({ pieces }) => pieces.reduce((sum, { value }) => sum + value, 0))
  const most = Math.max(...totals, Number.MIN_VALUE)
  const scale = (WIDTH - LABEL_WIDTH - TOTAL_WIDTH) / most
  const rows = bars.map((bar, i) => row(bar, totals[i] as number, i, scale, colour, unit))
  const height = LEGEND_HEIGHT + bars.length * ROW_HEIGHT
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="stacked bars, ${escapeHtml(unit)}">${legend(names, colour)}${rows.join('')}</svg>`
}

function row(
  { label, pieces }: Bar,
  total: number,
  index: number,
  scale: number,
  colour: (name: string) => string,
  unit: string,
): string {
  const y = LEGEND_HEIGHT + index * ROW_HEIGHT
  let x = LABEL_WIDTH
  const parts = pieces.map(({ name, value }) => {
    const width = value * scale
    const title = `<title>${escapeHtml(`${name}: ${numberText(value)} ${unit}`)}</title>`
    const part = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" fill="${colour(name)}">${title}</rect>`
    x += width
    return part
  })
  const textY = y + BAR_HEIGHT - 3
  const name = `<text x="${LABEL_WIDTH - 8}" y="${textY}" text-anchor="end">${escapeHtml(label)}</text>`
  const sum = `<text x="${(x + 6).toFixed(1)}" y="${textY}">${numberText(total)}</text>`
  return name + parts.join('') + sum
}

function legend(names: readonly string[], colour: (name: string) => string): string {
  let x = LABEL_WIDTH
  return names
    .map((name) => {
      const entry = `<rect x="${x}" y="4" width="12" height="12" fill="${colour(name)}"/><text x="${x + 16}" y="14">${escapeHtml(name)}</text>`
      x += LEGEND_GAP + name.length * CHARACTER_WIDTH
      return entry
    })
    .join('')
}
