import type { Clock } from '../clock.ts'
import { type Incident, type IncidentTimes, incidentOf, timesOf } from './incident.ts'
import type { IncidentEvent, IncidentLog } from './incident-log.ts'
import { isOpen } from './open-incidents.ts'

/** How incidents and drills of a keyspace stand. */
export interface IncidentStanding {
  /** Incidents that are open; drills are none. */
  readonly openIncidents: number
  /** null where none ever passed, as far as was looked back. */
  readonly lastPassedDrill: { readonly atMs: number; readonly times: IncidentTimes } | null
  readonly lastFailedDrillAtMs: number | null
  /** Whether no drill passed within the time that is given; null where drills are not configured. */
  readonly isDrillOverdue: boolean | null
}

/** Hears how they stand. Calls are cheap and never throw. */
export interface IncidentObserver {
  incidentsStand(standing: IncidentStanding): void
  /** The log cannot be read; it is tried again. */
  incidentsUnread(error: unknown): void
}

/** Drills by the day for most of a year. */
const LOOKED_AT_MAX = 300
const LOOK_EVERY_MS = 60_000

/** Looks at the incidents of a keyspace; what is over is not read again. */
export class IncidentWatch {
  readonly #log: IncidentLog
  readonly #clock: Clock
  readonly #drillEveryMs: number | null
  readonly #over = new Map<string, Incident>()
  readonly #stop = new AbortController()

  /** `drillEveryMs` is null where drills are not configured. */
  constructor(log: IncidentLog, clock: Clock, drillEveryMs: number | null) {
    this.#log = log
    this.#clock = clock
    this.#drillEveryMs = drillEveryMs
  }

  /** How they stand now. Throws SEAL_MAPPING_*. */
  async look(): Promise<IncidentStanding> {
    const incidents: Incident[] = []
    for (const id of await this.#log.ids(LOOKED_AT_MAX)) {
      const found = this.#over.get(id) ?? (await this.#read(id))
      if (found !== null) incidents.push(found)
    }
    const drills = incidents.flatMap(drillOf)
    const passed = latest(drills.filter(({ isPassed }) => isPassed))
    const failed = latest(drills.filter(({ isPassed }) => !isPassed))
    return {
      openIncidents: incidents.filter((one) => isOpen(one) && one.declaration.kind === 'incident')
        .length,
      lastPassedDrill: passed === null ? null : { atMs: passed.atMs, times: passed.times },
      lastFailedDrillAtMs: failed?.atMs ?? null,
      isDrillOverdue: this.#isOverdue(passed?.atMs ?? null),
    }
  }

  /** Looks now and then, and tells; never rejects. */
  async run(observer: IncidentObserver): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        observer.incidentsStand(await this.look())
      } catch (error) {
        observer.incidentsUnread(error)
      }
      await this.#clock.doze(LOOK_EVERY_MS, signal)
    }
  }

  /** Ends it. */
  stop(): void {
    this.#stop.abort()
  }

  async #read(id: string): Promise<Incident | null> {
    const events = await this.#log.events(id)
    if (events.length === 0) return null
    const incident = incidentOf(id, events)
    // The result of a drill comes after its end.
    const isWhole = incident.declaration.kind === 'incident' || drillEventOf(incident) !== undefined
    if (!isOpen(incident) && isWhole) this.#over.set(id, incident)
    return incident
  }

  #isOverdue(passedAtMs: number | null): boolean | null {
    if (this.#drillEveryMs === null) return null
    return passedAtMs === null || this.#clock.nowMs() - passedAtMs > this.#drillEveryMs
  }
}

interface DrillResult {
  readonly atMs: number
  readonly isPassed: boolean
  readonly times: IncidentTimes
}

function drillEventOf({ events }: Incident): IncidentEvent | undefined {
  return events.findLast(({ kind }) => kind === 'drilled')
}

function drillOf(incident: Incident): DrillResult[] {
  const event = drillEventOf(incident)
  if (event === undefined) return []
  const isPassed = event.details.isPassed === true
  return [{ atMs: event.atMs, isPassed, times: timesOf(incident) }]
}

function latest(drills: readonly DrillResult[]): DrillResult | null {
  return drills.reduce<DrillResult | null>(
    (last, one) => (last === null || one.atMs > last.atMs ? one : last),
    null,
  )
}
