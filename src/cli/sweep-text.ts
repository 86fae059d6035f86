import { formatDurationMs } from '../config/quantity.ts'
import type { SweepOutcome } from '../incident/sweep.ts'
import type { SweepItem, SweepPlan, SweepVerdict } from '../incident/sweep-plan.ts'
import { renderJson } from './render.ts'
import { renderCount, renderTable, renderTime } from './table.ts'

/** A sweep, told to its end. `outcome` is null when nothing was to be changed. */
export interface SweepReport {
  readonly ageMs: number
  readonly plan: SweepPlan
  readonly outcome: SweepOutcome | null
}

/** What stands in the table, in this order. */
const SHOWN: readonly SweepVerdict[] = [
  'alarm',
  'unknown',
  'orphan',
  'given-up',
  'published',
  'young',
]

/** A table of the segments that were looked at, and one line of totals. */
export function renderSweep(report: SweepReport): string {
  const { plan, outcome } = report
  return [
    ...(plan.items.length > 0 ? [table(plan.items), '\n'] : []),
    ...plan.unnamedUploads.map(({ key }) => `no intent names the open upload of ${key}; kept\n`),
    ...(outcome?.refused ?? []).map(({ objectKey, reason }) => `kept ${objectKey}: ${reason}\n`),
    `${renderCount(plan.seen)} segments on record, ${renderCount(plan.young)} younger than ${formatDurationMs(report.ageMs)} passed over\n`,
    outcome === null ? intention(plan) : deeds(outcome),
  ].join('')
}

/** The same as one JSON object. */
export function renderSweepJson({ ageMs, plan, outcome }: SweepReport): string {
  const segments = inOrder(plan.items).map(({ segment, verdict, reason, objects, uploads }) => ({
    ...{ dekId: segment.dekId, segmentId: segment.segmentId, object: segment.objectKey },
    ...{ createdAtMs: segment.createdAtMs, verdict, reason },
    ...{ versions: objects.length, bytes: bytesOf(objects), uploads: uploads.length },
  }))
  const { seen, young, unnamedUploads } = plan
  return renderJson({
    ...{ dryRun: outcome === null, ageMs, seen, young, segments },
    unnamedUploads: unnamedUploads.map(({ key, uploadId }) => ({ object: key, uploadId })),
    ...{ wouldRemove: totalsOf(plan), done: outcome },
  })
}

function table(items: readonly SweepItem[]): string {
  const rows = inOrder(items).map(({ segment, verdict, reason, objects, uploads }) => [
    verdict,
    segment.objectKey,
    renderTime(segment.createdAtMs),
    renderCount(objects.length),
    renderCount(bytesOf(objects)),
    renderCount(uploads.length),
    reason,
  ])
  const numbers = ['VERSIONS', 'BYTES', 'UPLOADS']
  return renderTable(['VERDICT', 'OBJECT', 'BEGUN', ...numbers, 'REASON'], rows, numbers)
}

function intention(plan: SweepPlan): string {
  const { segments, objects, bytes, uploads, marks } = totalsOf(plan)
  const marking = marks > 0 ? `, and mark ${renderCount(marks)} segments as published` : ''
  return `would remove ${renderCount(objects)} objects, ${renderCount(bytes)} bytes, ${renderCount(uploads)} uploads of ${renderCount(segments)} segments${marking}; --yes does it\n`
}

function deeds(outcome: SweepOutcome): string {
  const { segments, objects, bytes, uploads, marked, grown, isStopped } = outcome
  const lines = [
    `removed ${renderCount(objects)} objects, ${renderCount(bytes)} bytes, ${renderCount(uploads)} uploads of ${renderCount(segments)} segments`,
    ...(marked > 0 ? [`marked ${renderCount(marked)} segments as published`] : []),
    ...(grown > 0 ? [`kept ${renderCount(grown)} segments of which something has come in`] : []),
    ...(isStopped ? ['stopped before the end; the next sweep goes on'] : []),
  ]
  return `${lines.join('\n')}\n`
}

/** What carrying the plan out comes to. */
function totalsOf({ items }: SweepPlan) {
  const orphans = items.filter(({ verdict }) => verdict === 'orphan')
  const objects = orphans.flatMap((item) => item.objects)
  return {
    segments: orphans.length,
    objects: objects.length,
    bytes: bytesOf(objects),
    uploads: orphans.reduce((sum, { uploads }) => sum + uploads.length, 0),
    marks: items.filter(({ verdict }) => verdict === 'published').length,
  }
}

function inOrder(items: readonly SweepItem[]): readonly SweepItem[] {
  return SHOWN.flatMap((verdict) => items.filter((item) => item.verdict === verdict))
}

function bytesOf(objects: SweepItem['objects']): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0)
}
