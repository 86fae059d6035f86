import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import { type Incident, incidentOf } from './incident.ts'
import type {
  IncidentDetails,
  IncidentEvent,
  IncidentEventKind,
  IncidentLog,
  IncidentStep,
} from './incident-log.ts'

/** Who writes into a journal. */
export interface JournalKeeper {
  readonly actor: string
  /** Of a process that works on the incident; null for one that only notes something. */
  readonly runId: string | null
}

/** An event that has no place yet. */
export interface NewIncidentEvent {
  readonly kind: IncidentEventKind
  readonly step?: IncidentStep
  readonly details?: IncidentDetails
}

/**
 * The events of one incident, for a process that adds some. They are added one after the other, each
 * at the next free place. Others may add theirs in between; but when another process has taken a step
 * meanwhile, this one writes nothing more and throws SEAL_INCIDENT_BUSY: it was taken for dead.
 */
export class IncidentJournal {
  readonly #log: IncidentLog
  readonly #clock: Clock
  readonly #incidentId: string
  readonly #keeper: JournalKeeper
  #events: readonly IncidentEvent[]
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(
    log: IncidentLog,
    clock: Clock,
    incidentId: string,
    keeper: JournalKeeper,
    events: readonly IncidentEvent[],
  ) {
    this.#log = log
    this.#clock = clock
    this.#incidentId = incidentId
    this.#keeper = keeper
    this.#events = events
  }

  /** Throws SEAL_INCIDENT_UNKNOWN and SEAL_MAPPING_*. */
  static async open(
    { log, clock }: { readonly log: IncidentLog; readonly clock: Clock },
    incidentId: string,
    keeper: JournalKeeper,
  ): Promise<IncidentJournal> {
    const events = await log.events(incidentId)
    incidentOf(incidentId, events)
    return new IncidentJournal(log, clock, incidentId, keeper, events)
  }

  /** The incident as far as this process knows. */
  get incident(): Incident {
    return incidentOf(this.#incidentId, this.#events)
  }

  /** Reads what others have added. Throws SEAL_MAPPING_*. */
  async refresh(): Promise<Incident> {
    this.#events = await this.#log.events(this.#incidentId)
    return this.incident
  }

  /** Adds an event. Throws SEAL_INCIDENT_BUSY and SEAL_MAPPING_*. */
  append(event: NewIncidentEvent): Promise<void> {
    const turn = this.#turn.then(() => this.#append(event))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #append({ kind, step = undefined, details = {} }: NewIncidentEvent): Promise<void> {
    const event = {
      ...{ incidentId: this.#incidentId, eventId: randomUUID(), atMs: this.#clock.nowMs() },
      ...{ ...this.#keeper, kind, step: step ?? null, details },
    }
    for (;;) {
      const sequence = (this.#events.at(-1)?.sequence ?? 0) + 1
      const placed = { ...event, sequence }
      if (await this.#log.append(placed)) {
        this.#events = [...this.#events, placed]
        return
      }
      const known = this.#events.length
      await this.refresh()
      this.#refuseIfTaken(this.#events.slice(known))
    }
  }

  #refuseIfTaken(fresh: readonly IncidentEvent[]): void {
    const { runId } = this.#keeper
    if (runId === null) return
    const other = fresh.find((one) => one.kind.startsWith('step-') && one.runId !== runId)
    if (other === undefined) return
    const message = `another process (${other.runId}) has taken a step of incident ${this.#incidentId} meanwhile; this one does nothing more`
    throw new SealError('SEAL_INCIDENT_BUSY', message)
  }
}
