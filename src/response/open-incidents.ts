import { SealError } from '../errors.ts'
import { type Incident, incidentOf } from './incident.ts'
import type { IncidentLog } from './incident-log.ts'

/** Incidents that are looked at; older ones that are open yet are named by whoever runs them. */
const LOOKED_AT_MAX = 200

/** The incidents of a keyspace, the newest first, at most so many. Throws SEAL_MAPPING_*. */
export async function recentIncidents(
  log: IncidentLog,
  max = LOOKED_AT_MAX,
): Promise<readonly Incident[]> {
  const found: Incident[] = []
  for (const id of await log.ids(max)) {
    const events = await log.events(id)
    // Its declaration was cut off between the name and the first event.
    if (events.length > 0) found.push(incidentOf(id, events))
  }
  return found
}

/** Whether there is something left to do about it. */
export function isOpen({ closedAtMs, isWithdrawn }: Incident): boolean {
  return closedAtMs === null && !isWithdrawn
}

/** The id of the one incident that is open. Throws SEAL_INPUT_INVALID when there is none, or several. */
export async function openIncidentId(log: IncidentLog): Promise<string> {
  const open = (await recentIncidents(log)).filter(
    (one) => isOpen(one) && one.declaration.kind === 'incident',
  )
  const ids = open.map(({ declaration }) => declaration.incidentId)
  if (ids.length === 1) return ids[0] as string
  const what = ids.length === 0 ? 'no incident is open' : `several are open: ${ids.join(', ')}`
  throw new SealError('SEAL_INPUT_INVALID', `${what}; name one`)
}
