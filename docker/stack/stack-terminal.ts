import type { StackEvent, StackStatus } from './stack-model.ts'
import { PART_NAMES } from './stack-model.ts'

const PART_WIDTH = Math.max(...PART_NAMES.map((name) => name.length))
const STEP_WIDTH = 'installing'.length
const COLOURS = { good: '\u001b[32m', bad: '\u001b[31m', dim: '\u001b[2m', end: '\u001b[0m' }

/** Colours text for a terminal, or leaves it as it is. */
export type Paint = (colour: 'good' | 'bad' | 'dim', text: string) => string

/** A painter for an output; only a terminal without NO_COLOR gets colours. */
export function paintFor(output: { readonly isTTY?: boolean }): Paint {
  const coloured = output.isTTY === true && !process.env.NO_COLOR
  return (colour, text) => (coloured ? `${COLOURS[colour]}${text}${COLOURS.end}` : text)
}

/** One progress line. */
export function eventLine(event: StackEvent, paint: Paint): string {
  const isDone = event.step !== 'installing' && event.step !== 'starting'
  const seconds = (event.elapsedMs / 1000).toFixed(1)
  const time = isDone || event.elapsedMs >= 1000 ? `${seconds} s` : ''
  const step = event.step.padEnd(STEP_WIDTH)
  const painted = isDone ? paint('good', step) : paint('dim', step)
  const line = `${event.part.padEnd(PART_WIDTH)}  ${painted}  ${time.padStart(7)}  ${event.detail}`
  return line.trimEnd()
}

/** The table of `status`, one line a part. */
export function statusTable(status: StackStatus, paint: Paint): string {
  if (status.parts.length === 0) return `no stack was ever started in ${status.directory}`
  const rows = status.parts.map((part) => [
    part.part,
    part.state,
    part.pid === null ? '-' : String(part.pid),
    part.address,
    part.uptimeMs === null ? '-' : duration(part.uptimeMs),
    part.rssBytes === null ? '-' : `${Math.round(part.rssBytes / 2 ** 20)} MiB`,
    part.logPath,
  ])
  const head = ['part', 'state', 'pid', 'address', 'uptime', 'rss', 'log']
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  return lines
    .map((cells, position) => {
      const text = cells.join('  ').trimEnd()
      if (position === 0) return paint('dim', text)
      return status.parts[position - 1]?.state === 'up' ? text : paint('bad', text)
    })
    .join('\n')
}

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}
