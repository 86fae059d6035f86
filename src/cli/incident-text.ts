import type { Incident, StepState } from '../response/incident.ts'
import { kekNameOf, nextStepOf, timesOf } from '../response/incident.ts'
import type { IncidentPlan } from '../response/incident-plan.ts'
import { durationText } from '../response/report-values.ts'
import type { IncidentRunEnd } from '../response/run-incident.ts'
import { printable } from './printable.ts'
import { renderCount, renderTable, renderTime } from './table.ts'

/** What an incident is and how its steps stand. */
export function renderIncident(incident: Incident): string {
  const { declaration, steps, approvals } = incident
  const { incidentId, kind, reason, by, declaredAtMs, newKekId } = declaration
  const times = timesOf(incident)
  const head = [
    `${kind} ${incidentId}: ${stateOf(incident)}`,
    `left      ${kekNameOf(declaration)}`,
    `for       ${newKekId ?? 'a new version of the same KEK'}`,
    `declared  ${renderTime(declaredAtMs)} by ${by}: ${reason}`,
    ...approvals.map((one) => `approved  ${one.step} ${renderTime(one.atMs)} by ${one.by}`),
    `contained after ${durationText(times.containMs)}, known after ${durationText(times.knowMs)}, clean after ${durationText(times.cleanMs)}`,
  ]
  const table = renderTable(
    ['STEP', 'STATE', 'TRIES', 'TOOK', ''],
    steps.map((step) => [
      ...[step.step, step.state, String(step.attempts)],
      step.durationMs === null ? '-' : durationText(step.durationMs),
      noteOf(step),
    ]),
  )
  return `${head.map(printable).join('\n')}\n\n${table}`
}

/** How an incident stands, in a word or two. */
export function stateOf(incident: Incident): string {
  if (incident.isWithdrawn) return 'withdrawn'
  if (incident.closedAtMs !== null) return 'closed'
  const next = nextStepOf(incident)
  const isAwaiting =
    incident.isApprovalWanted && next === 'retire' && incident.approvals.length === 0
  return isAwaiting ? `open, ${next} waits for an approval` : `open, next is ${next}`
}

function noteOf({ step, state, details }: StepState): string {
  if (state === 'failed') return String(details.reason ?? '')
  const count = (name: string) => renderCount(Number(details[name] ?? 0))
  if (state !== 'done') return ''
  switch (step) {
    case 'contain':
      return `${count('instances')} instances`
    case 'assess':
      return `${count('messages')} messages, ${count('bytes')} bytes, ${count('deks')} DEKs`
    case 'check':
      return String(details.kekId ?? '')
    case 'rewrap':
      return `${count('deks')} DEKs are under another key`
    case 'reencrypt':
      return `${count('done')} segments are under new DEKs`
    case 'prove':
      return `${count('versions')} objects, none opened by the old key`
    case 'retire':
      return details.inKms === 'by-hand' ? 'in the KMS it is yours to do' : String(details.inKms)
    case 'report':
      return ''
  }
}

/** How a run ended, for people; with what is left to do. */
export function renderRunEnd({ incident, kind, step, reason }: IncidentRunEnd): string {
  const { incidentId } = incident.declaration
  const lines = [renderIncident(incident)]
  const retired = incident.steps.find((one) => one.step === 'retire')?.details
  const toDo = Array.isArray(retired?.toDo) ? retired.toDo.map(String) : []
  if (kind === 'closed') {
    for (const one of toDo) lines.push(`to do: ${printable(one)}`)
    lines.push(`report: sealstream incident report ${incidentId} --out DIR`)
  } else {
    lines.push(
      `${kind === 'awaiting' ? 'waiting' : kind} at ${step}${reason === null ? '' : `: ${printable(reason)}`}`,
    )
    lines.push(`go on with: sealstream incident run ${incidentId}`)
  }
  return `${lines.join('\n')}\n`
}

/** The same as JSON. */
export function runEndJson({ incident, kind, step, reason }: IncidentRunEnd) {
  return { end: { kind, step, reason }, ...incidentJson(incident) }
}

/** An incident as JSON; its events stand in the report. */
export function incidentJson(incident: Incident) {
  const { declaration, steps, approvals, closedAtMs, isWithdrawn, events } = incident
  const lastRunId = events.findLast(({ runId }) => runId !== null)?.runId ?? null
  const state = isWithdrawn ? 'withdrawn' : closedAtMs === null ? 'open' : 'closed'
  return {
    ...declaration,
    state,
    closedAtMs,
    lastRunId,
    times: timesOf(incident),
    steps,
    approvals,
  }
}

/** What an incident would do, a figure a line. */
export function renderIncidentPlan(plan: IncidentPlan): string {
  const { toReencrypt, seconds, pace } = plan
  const figure = (value: string, what: string) => `${value.padStart(18)} ${what}\n`
  const from = {
    limit: 'as --bytes-per-second says',
    before: 'as the last incident or drill went',
    assumed: 'assumed: two cores with every service on them',
  }[pace.from]
  return [
    figure(renderCount(plan.messages), 'messages were ever protected by it'),
    figure(renderCount(plan.bytes), 'bytes'),
    figure(renderCount(plan.deks), 'DEKs'),
    figure(renderCount(plan.toRewrap), 'DEKs to be rewrapped'),
    figure(renderCount(toReencrypt.segments), 'segments to be re-encrypted'),
    figure(renderCount(toReencrypt.bytes), 'bytes to be read and written once'),
    figure(renderCount(plan.unpublished), 'segments that are not published (yet)'),
    figure(renderCount(plan.kmsCalls), 'calls to the KMS, about'),
    figure(plan.kmsCostUsd.toFixed(2), 'USD for them'),
    ...(['contain', 'assess', 'rewrap', 'reencrypt', 'prove', 'total'] as const).map((step) =>
      figure(
        durationText(seconds[step] * 1000),
        step === 'total' ? 'in all, about, and what the approval takes' : step,
      ),
    ),
    figure(renderCount(Math.round(pace.bytesPerSecond)), `bytes a second re-encrypted, ${from}`),
  ].join('')
}
