import { type JobOutcome, reencryptAll } from '../reencryption/job.ts'
import {
  itemsInScope,
  type PlanSources,
  planReencryption,
  type ReencryptionPlan,
  type ReencryptionScope,
} from '../reencryption/plan.ts'
import type { ReencryptionServices } from '../reencryption/segment-reencryption.ts'
import type { Declaration } from './incident.ts'
import { NAMES_MAX, type StepControl, type StepEnding } from './step-work.ts'

/** What it works with, and where it finds its work. */
export interface ReencryptPorts {
  readonly services: ReencryptionServices
  readonly sources: PlanSources
}

/**
 * How long it waits for segments that running encryptors have yet to publish; those of dead ones are
 * never published, and `sweep` removes them when they are old enough.
 */
const PUBLISH_MS = 30_000
const LOOK_EVERY_MS = 1_000

/**
 * Brings every segment under new DEKs that the old key protects. Done when no published one is left;
 * those that were never published are counted, and the proof will tell whether they left an object.
 * Throws what concerns all segments: credentials, rights, settings.
 */
export async function reencryptSegments(
  { services, sources }: ReencryptPorts,
  declaration: Declaration,
  { signal, listener, pace }: StepControl,
): Promise<StepEnding> {
  const { clock } = services
  const scope = reencryptionScopeOf(declaration)
  const endMs = clock.elapsedMs() + PUBLISH_MS
  const sum = { moved: 0, finished: 0, gone: 0, messages: 0, bytes: 0 }
  let retainedUntilMs: number | null = null
  for (;;) {
    const plan = await planReencryption(sources, scope, clock.nowMs())
    listener.began('bytes re-encrypted', plan.bytes)
    const outcome = await reencryptAll(services, itemsInScope(sources, scope, clock.nowMs()), {
      ...{ atOnce: pace.segmentsAtOnce, signal },
      onDone: (_item, { bytes }) => listener.advanced(bytes),
    })
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += outcome[name]
    retainedUntilMs = latest(retainedUntilMs, outcome.retainedUntilMs)
    const left = await planReencryption(sources, scope, clock.nowMs())
    const isOver = outcome.failures.length > 0 || signal.aborted
    const isAwaited = left.segments + left.unpublished > 0 && clock.elapsedMs() < endMs
    if (isOver || !isAwaited) return endingOf({ ...sum, retainedUntilMs }, left, outcome)
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

/** What the declaration asks a re-encryption about. */
export function reencryptionScopeOf({ kekId, kekVersion }: Declaration): ReencryptionScope {
  return { kekId, ...(kekVersion === null ? {} : { kekVersion }) }
}

function endingOf(
  sum: Record<string, number | null>,
  { segments, unpublished, done }: ReencryptionPlan,
  { failures, isStopped }: JobOutcome,
): StepEnding {
  const named = failures
    .slice(0, NAMES_MAX)
    .map(({ item, error }) => `${item.objectKey}: ${error.message}`)
  // What killed tries have done counts too; their bytes are those of the impact.
  const details = { ...sum, done, left: segments, unpublished, failures: named }
  if (isStopped) return { kind: 'stopped', details }
  if (segments === 0 && failures.length === 0) return { kind: 'done', details }
  const why = named[0] ?? 'they came in while it ran; run again'
  return { kind: 'left', reason: `${segments} segments were not re-encrypted: ${why}`, details }
}

function latest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b)
}
