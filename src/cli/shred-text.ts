import type { ShredReport } from '../incident/shred-receipt.ts'
import { printable } from './printable.ts'
import { renderJson } from './render.ts'
import { renderCount, renderTime } from './table.ts'

/** What was destroyed, or would be, as one JSON object. */
export function renderShredJson(report: ShredReport, isDone: boolean): string {
  const remaining = report.remaining.map(({ untilMs, ...copy }) => ({
    ...copy,
    untilMs: Number.isFinite(untilMs) ? untilMs : null,
  }))
  return renderJson({ isDone, ...report, remaining })
}

/** The same for people. */
export function renderShredReport(
  report: ShredReport,
  isDone: boolean,
  out: string | null,
): string {
  const { subject, deks, segments, messages, ranges, movedTo, remaining, unpublished } = report
  const was = isDone ? 'destroyed' : 'would be destroyed'
  const keys = deks.length === 0 ? '' : `${renderCount(deks.length)} DEKs, `
  const where = deks.length === 0 ? 'in' : 'and'
  const lines = [
    `${printable(subject)}: ${keys}${renderCount(messages)} messages ${where} ${renderCount(segments)} segments ${was}`,
    ...ranges.map(
      ({ topic, partition, firstOffset, lastOffset, messages: count }) =>
        `${printable(topic)}/${partition}: ${renderCount(count)} messages, offsets ${firstOffset} to ${lastOffset}`,
    ),
    ...movedTo.map((dekId) => `re-encrypted since, and lives on under DEK ${dekId}`),
    ...remaining.map(
      ({ object, untilMs }) => `kept by the store until ${until(untilMs)}: ${printable(object)}`,
    ),
    ...unpublished.map(
      (object) =>
        `not published, and may hold them yet; see sealstream sweep: ${printable(object)}`,
    ),
  ]
  if (!isDone) lines.push('nothing was changed; do it with --yes')
  else if (out !== null) lines.push(`receipt: ${printable(out)}`)
  return `${lines.join('\n')}\n`
}

function until(untilMs: number): string {
  return Number.isFinite(untilMs) ? renderTime(untilMs) : 'its legal hold ends'
}
