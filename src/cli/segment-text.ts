import type { SegmentSummary, SourceSummary } from '../reader/segment-summary.ts'
import { printable } from './printable.ts'

const NAME_WIDTH = 12
const SUITES: Readonly<Record<number, string>> = { 1: 'AES-256-GCM, HKDF-SHA512' }

/** A segment for people: a name and a value a line. `verifiedFrames` is null when no key was used. */
export function renderSegment(summary: SegmentSummary, verifiedFrames: number | null): string {
  const { frameBytes, suite } = summary
  const created = new Date(summary.createdAtMs).toISOString().slice(0, -8).replace('T', ' ')
  const sizes = [frameBytes.min, frameBytes.median, frameBytes.max].map(number)
  const rows: (readonly [string, string])[] = [
    ['object', summary.object],
    ['bytes', number(summary.bytes)],
    ['format', `version ${summary.formatVersion}, suite ${suite} (${SUITES[suite]})`],
    ['segment', summary.segmentId],
    ['generation', number(summary.generation)],
    ['created', `${created} UTC`],
    ['DEK', summary.dekId],
    ['KEK', summary.kekId],
    ['key domain', summary.keyDomain],
    ['cluster', summary.clusterId],
    ['frames', number(summary.frames)],
    ['frame sizes', `${sizes.join(' / ')} bytes (least / median / most)`],
    ['footer', `${number(summary.footerBytes)} bytes`],
    ['overhead', `${summary.overheadBytesPerMessage.toFixed(1)} bytes a message`],
  ]
  const lines = rows.map(([name, value]) => `${name.padEnd(NAME_WIDTH)}${printable(value)}`)
  lines.push('', ...renderSources(summary.sources))
  if (verifiedFrames !== null) lines.push('', `verified: ${number(verifiedFrames)} frames open`)
  return `${lines.join('\n')}\n`
}

function renderSources(sources: readonly SourceSummary[]): string[] {
  const rows = sources.map(({ topic, partition, frames, firstOffset, lastOffset }) => [
    `${topic}/${partition}`,
    number(frames),
    firstOffset === null ? '-' : `${firstOffset} to ${lastOffset}`,
  ])
  const table = [['source', 'frames', 'offsets'], ...rows]
  const width = (column: number) => Math.max(...table.map((row) => row[column]?.length ?? 0))
  const [sourceWidth, framesWidth] = [width(0), width(1)]
  return table.map(
    ([source = '', frames = '', offsets = '']) =>
      `${source.padEnd(sourceWidth)}  ${frames.padStart(framesWidth)}  ${offsets}`,
  )
}

function number(count: number): string {
  return count.toLocaleString('en')
}
