import type { Forecast } from '../reencryption/forecast.ts'
import type { JobOutcome } from '../reencryption/job.ts'
import type { ReencryptionPlan } from '../reencryption/plan.ts'
import type { ReencryptionItem } from '../reencryption/segment-reencryption.ts'
import { INCOMPLETE } from './impact-text.ts'
import { renderJson } from './render.ts'
import { renderCount, renderDuration, renderTime } from './table.ts'

/** A re-encryption, told to its end. `outcome` is null when nothing was to be changed. */
export interface ReencryptionReport {
  readonly plan: ReencryptionPlan
  readonly forecast: Forecast
  readonly outcome: JobOutcome | null
  readonly elapsedMs: number
}

/** In words. */
export function renderReencryption({
  plan,
  forecast,
  outcome,
  elapsedMs,
}: ReencryptionReport): string {
  const { unpublished, done } = plan
  const lines = outcome === null ? intention(plan, forecast) : deeds(outcome, elapsedMs)
  if (done > 0 && outcome === null) {
    lines.push(`${renderCount(done)} segments were re-encrypted before`)
  }
  if (unpublished > 0) {
    lines.push(
      `${renderCount(unpublished)} segments are not published (yet) and are left alone; run again later, or see sealstream sweep`,
    )
  }
  if (!plan.isComplete) lines.push(INCOMPLETE)
  return `${lines.join('\n')}\n`
}

/** The same as one JSON object. */
export function renderReencryptionJson({
  plan: { domains: _, ...counts },
  forecast,
  outcome,
  elapsedMs,
}: ReencryptionReport): string {
  const failures = outcome?.failures.map(({ item, error }) => ({
    ...namesOf(item),
    ...{ code: error.code, reason: error.message },
  }))
  const done = outcome && { ...outcome, failures, elapsedMs: Math.round(elapsedMs) }
  return renderJson({ dryRun: outcome === null, plan: { ...counts, ...forecast }, done })
}

function intention(
  { deks, segments, messages, bytes, expired }: ReencryptionPlan,
  { kmsCalls, newDeks, s3Reads, s3Writes, costUsd, seconds }: Forecast,
): string[] {
  if (segments + expired === 0) return ['nothing to re-encrypt']
  return [
    `would re-encrypt ${renderCount(segments)} segments under ${renderCount(deks)} DEKs: ${renderCount(messages)} messages, ${renderCount(bytes)} bytes`,
    ...(expired > 0
      ? [
          `would remove the versions of ${renderCount(expired)} more, which the store keeps no longer`,
        ]
      : []),
    `${renderCount(kmsCalls)} KMS calls, ${renderCount(newDeks)} of them for new DEKs; ${renderCount(s3Reads)} reads and ${renderCount(s3Writes)} writes and lists of S3`,
    `${costUsd.toFixed(2)} USD for these requests; about ${renderDuration(seconds)}, in one process`,
    '--yes does it',
  ]
}

function deeds(outcome: JobOutcome, elapsedMs: number): string[] {
  const { moved, finished, gone, messages, bytes, retained, retainedUntilMs, failures } = outcome
  const seconds = elapsedMs / 1_000
  const rate = bytes / 1e6 / Math.max(seconds, 0.001)
  const lines = [
    `re-encrypted ${renderCount(moved)} segments: ${renderCount(messages)} messages, ${renderCount(bytes)} bytes in ${seconds.toFixed(1)} s (${rate.toFixed(0)} MB/s)`,
  ]
  if (finished > 0) lines.push(`finished ${renderCount(finished)} that were re-encrypted before`)
  if (gone > 0) lines.push(`${renderCount(gone)} objects are not there any more`)
  if (retained > 0) {
    const until =
      retainedUntilMs === Number.POSITIVE_INFINITY
        ? 'a legal hold ends'
        : renderTime(retainedUntilMs)
    lines.push(
      `the store keeps an old version of ${renderCount(retained)} of them until ${until}; run again then`,
    )
  }
  for (const { item, error } of failures) lines.push(`failed: ${item.objectKey}: ${error.message}`)
  if (outcome.isStopped) lines.push('stopped before the end; run again to go on')
  return lines
}

function namesOf({ dekId, segmentId, objectKey }: ReencryptionItem) {
  return { dekId, segmentId, object: objectKey }
}
