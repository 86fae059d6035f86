import type { RewrapReport } from '../rewrap/job.ts'
import type { RewrapPace, RewrapPlan } from '../rewrap/plan.ts'
import type { RewrapScope } from '../rewrap/scope.ts'
import { printable } from './printable.ts'
import { renderCount, renderDuration } from './table.ts'

/** Failures that are printed; all are in the JSON. */
const FAILURES_SHOWN = 20

/** How the KEK that is to be replaced is named. */
export function scopeName({
  kekId,
  kekVersion,
}: Pick<RewrapScope, 'kekId' | 'kekVersion'>): string {
  return printable(kekVersion === null ? `KEK ${kekId}` : `KEK ${kekId} version ${kekVersion}`)
}

/** What a rewrap would do, a figure a line. */
export function renderRewrapPlan(scope: RewrapScope, plan: RewrapPlan, pace: RewrapPace): string {
  const { deks, toRewrap, targets, kmsCalls, costUsd, seconds } = plan
  const figure = (value: string, what: string) => `${value.padStart(15)} ${what}\n`
  const lines = [
    `${scopeName(scope)}\n`,
    figure(renderCount(deks), 'DEKs were ever wrapped by it'),
    figure(renderCount(toRewrap), 'are so now, and are to be rewrapped'),
    ...targets.map((target) =>
      figure(renderCount(target.deks), `under ${printable(target.kekId)}`),
    ),
  ]
  if (toRewrap === 0) return lines.join('')
  const { kmsCallsPerSecond, prices } = pace
  return [
    ...lines,
    figure(renderCount(kmsCalls), `calls to the KMS, ${kmsCallsPerSecond} a second at most`),
    figure(costUsd.toFixed(2), `USD, at ${prices.usdPer10kKmsCalls} USD for 10,000 calls`),
    figure(renderDuration(seconds), 'at least'),
  ].join('')
}

/** What became of it. */
export function renderRewrapReport(
  scope: RewrapScope,
  { rewrapped, failures, isStopped, isGivenUp }: RewrapReport,
): string {
  const done = `rewrapped ${renderCount(rewrapped)} DEKs`
  if (isStopped) return `${done}; stopped: run it again to go on\n`
  if (isGivenUp) return `${done}; given up, for nothing went through any more\n`
  if (failures.length > 0) return `${done}; ${renderCount(failures.length)} failed\n`
  return `${done}; no wrap of now is under ${scopeName(scope)} any more. Segments go on naming it: readers find the new wraps in the key directory\n`
}

/** The DEKs that are as they were, a line each. */
export function renderRewrapFailures({ failures }: RewrapReport): string {
  const shown = failures.slice(0, FAILURES_SHOWN)
  const lines = shown.map(
    ({ dekId, code, message }) => `sealstream: DEK ${dekId}: ${printable(message)} [${code}]\n`,
  )
  const more = failures.length - shown.length
  if (more > 0) lines.push(`sealstream: and ${renderCount(more)} more (--json has them all)\n`)
  return lines.join('')
}
