import { type RewrapReport, type RewrapServices, rewrapAll } from '../rewrap/job.ts'
import { planRewrap } from '../rewrap/plan.ts'
import type { RewrapScope } from '../rewrap/scope.ts'
import { LIST_PRICES } from '../service-costs.ts'
import { type Declaration, kekNameOf } from './incident.ts'
import { NAMES_MAX, type StepControl, type StepEnding, sayingWaits } from './step-work.ts'

/** A rewrap's services, and what tells the KEK in force. */
export interface IncidentRewrapServices extends RewrapServices {
  readonly targetOf: RewrapScope['targetOf']
}

/**
 * Wraps every DEK anew that the old key wraps. Done when none is left. Throws SEAL_MAPPING_* while the
 * list of DEKs cannot be read.
 */
export async function rewrapDeks(
  services: IncidentRewrapServices,
  declaration: Declaration,
  { signal, listener, pace }: StepControl,
): Promise<StepEnding> {
  const scope = rewrapScopeOf(services, declaration)
  const { kmsCallsPerSecond } = pace
  const planned = { kmsCallsPerSecond, prices: LIST_PRICES }
  const { deks, toRewrap } = await planRewrap(services, scope, planned)
  listener.began('DEKs rewrapped', toRewrap)
  const onRewrapped = () => listener.advanced(1)
  const report = await rewrapAll(services, scope, {
    ...{ signal, onRewrapped },
    observer: sayingWaits(listener),
  })
  return endingOf(report, deks, declaration)
}

/** The rewrap of an incident. */
export function rewrapScopeOf(
  { targetOf }: Pick<IncidentRewrapServices, 'targetOf'>,
  { kekId, kekVersion, newKekId, actor, incidentId }: Declaration,
): RewrapScope {
  return {
    ...{ kekId, kekVersion, actor, reason: `incident ${incidentId}` },
    targetOf: newKekId === null ? targetOf : () => newKekId,
  }
}

function endingOf(
  { rewrapped, failures, isStopped }: RewrapReport,
  deks: number,
  declaration: Declaration,
): StepEnding {
  const named = failures.slice(0, NAMES_MAX).map(({ dekId, message }) => `${dekId}: ${message}`)
  const details = { deks, rewrapped, failed: failures.length, failures: named }
  if (isStopped) return { kind: 'stopped', details }
  if (failures.length === 0) return { kind: 'done', details }
  const reason = `${failures.length} DEKs are still wrapped under ${kekNameOf(declaration)}: ${named[0]}`
  return { kind: 'left', reason, details }
}
