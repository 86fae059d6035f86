import type { DrillReport } from '../response/drill.ts'
import type { IncidentStanding } from '../response/incident-standing.ts'
import { durationText } from '../response/report-values.ts'
import { printable } from './printable.ts'
import { renderCount, renderTime } from './table.ts'

/** What came of a drill. */
export function renderDrill(report: DrillReport): string {
  const { incidentId, isPassed, reason, messages, readings, openedByOldKek, times } = report
  const head = isPassed
    ? `drill ${incidentId} passed`
    : `drill ${incidentId} did NOT pass: ${reason}`
  return [
    printable(head),
    `contained after ${durationText(times.containMs)}, known after ${durationText(times.knowMs)}, clean after ${durationText(times.cleanMs)}`,
    `${renderCount(readings.read)} readings of ${renderCount(messages)} canary messages, ${renderCount(readings.failed)} failed, ${renderCount(readings.wrong)} gave other bytes`,
    `the old KEK opens ${renderCount(openedByOldKek)} of their objects`,
    '',
  ].join('\n')
}

/** When a drill passed last. */
export function renderStanding(standing: IncidentStanding): string {
  const { lastPassedDrill, lastFailedDrillAtMs, isDrillOverdue, openIncidents } = standing
  const times = lastPassedDrill?.times
  return [
    `last passed  ${renderTime(lastPassedDrill?.atMs ?? null)}`,
    ...(times === undefined
      ? []
      : [
          `             contained after ${durationText(times.containMs)}, known after ${durationText(times.knowMs)}, clean after ${durationText(times.cleanMs)}`,
        ]),
    `last failed  ${renderTime(lastFailedDrillAtMs)}`,
    `overdue      ${isDrillOverdue ? 'YES' : 'no'}`,
    `incidents    ${renderCount(openIncidents)} open`,
    '',
  ].join('\n')
}
