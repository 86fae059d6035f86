import type { Clock } from '../../src/clock.ts'
import {
  type IncidentEvent,
  type IncidentLease,
  type IncidentLog,
  LEASE_MS,
} from '../../src/response/incident-log.ts'

/** Events of incidents in memory, held to the same contract as those over Cassandra. */
export class MemoryIncidentLog implements IncidentLog {
  readonly all: IncidentEvent[] = []
  readonly #names: string[] = []

  async declare(event: IncidentEvent): Promise<void> {
    if (!this.#names.includes(event.incidentId)) this.#names.unshift(event.incidentId)
    await this.append(event)
  }

  async append(event: IncidentEvent): Promise<boolean> {
    const { incidentId, sequence, eventId } = event
    const there = this.all.find((one) => one.incidentId === incidentId && one.sequence === sequence)
    if (there !== undefined) return there.eventId === eventId
    this.all.push(structuredClone(event))
    return true
  }

  async events(incidentId: string): Promise<readonly IncidentEvent[]> {
    return this.all.filter((one) => one.incidentId === incidentId)
  }

  async ids(max: number): Promise<readonly string[]> {
    return this.#names.slice(0, max)
  }
}

/** Leases in memory. */
export class MemoryIncidentLease implements IncidentLease {
  readonly #clock: Clock
  readonly #held = new Map<string, { holder: string; untilMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(incidentId: string, holder: string): Promise<string | null> {
    const other = this.#holderOf(incidentId)
    if (other !== null && other !== holder) return other
    this.#set(incidentId, holder)
    return null
  }

  async takeOver(incidentId: string, from: string, holder: string): Promise<boolean> {
    if (this.#holderOf(incidentId) !== from) return false
    this.#set(incidentId, holder)
    return true
  }

  async renew(incidentId: string, holder: string): Promise<boolean> {
    return this.takeOver(incidentId, holder, holder)
  }

  async release(incidentId: string, holder: string): Promise<void> {
    if (this.#holderOf(incidentId) === holder) this.#held.delete(incidentId)
  }

  #holderOf(incidentId: string): string | null {
    const held = this.#held.get(incidentId)
    return held !== undefined && held.untilMs > this.#clock.elapsedMs() ? held.holder : null
  }

  #set(incidentId: string, holder: string): void {
    this.#held.set(incidentId, { holder, untilMs: this.#clock.elapsedMs() + LEASE_MS })
  }
}
