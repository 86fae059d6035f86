import type { SegmentTotals } from '../mapping/rotation-log.ts'
import type { RotationStatus } from '../reencryption/rotation-status.ts'
import { INCOMPLETE } from './impact-text.ts'
import { renderCount, renderDuration, renderTable, renderTime } from './table.ts'

/** The report of a schedule, and what it was asked for. */
export interface RotationReport extends RotationStatus {
  readonly olderThanMs: number
  readonly nowMs: number
  /** false when something old may not be known to the look-ups. */
  readonly isComplete: boolean
}

/** A line for each key domain with old data, and one for the latest round. */
export function renderRotationStatus(report: RotationReport): string {
  const { domains, latest, nowMs, olderThanMs, isComplete } = report
  const limit = renderDuration(olderThanMs / 1000)
  const lines =
    domains.length === 0
      ? `nothing was ever under data keys that are older than ${limit}\n`
      : renderTable(
          ['KEY DOMAIN', 'DUE', 'BYTES', 'RUNNING', 'BYTES', 'DONE', 'BYTES', 'OLDEST', ''],
          domains.map(({ keyDomain, due, running, done, oldestAtMs, unpublished, retained }) => [
            ...[keyDomain, ...cells(due), ...cells(running), ...cells(done)],
            oldestAtMs === null ? '-' : renderDuration((nowMs - oldestAtMs) / 1000),
            notes(unpublished, retained),
          ]),
          ['DUE', 'BYTES', 'RUNNING', 'DONE', 'OLDEST'],
        )
  const round =
    latest === null
      ? 'no round of the schedule was ever begun here\n'
      : `latest round: begun ${renderTime(latest.startedAtMs)}, counted ${renderTime(latest.countedAtMs)}, ${latest.isOpen ? 'given out' : 'ended'}\n`
  return `${lines}${round}${isComplete ? '' : `${INCOMPLETE}\n`}`
}

function cells({ segments, bytes }: SegmentTotals): [string, string] {
  return [renderCount(segments), renderCount(bytes)]
}

function notes(unpublished: number, retained: number): string {
  return [
    unpublished > 0 ? `${renderCount(unpublished)} never published: see sealstream sweep` : '',
    retained > 0 ? `${renderCount(retained)} kept by the store as old versions` : '',
  ]
    .filter((note) => note !== '')
    .join('; ')
}
