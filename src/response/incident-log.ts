/** The steps of an incident, in their order. */
export const INCIDENT_STEPS = [
  'contain',
  'assess',
  'check',
  'rewrap',
  'reencrypt',
  'prove',
  'retire',
  'report',
] as const

/** One of {@link INCIDENT_STEPS}. */
export type IncidentStep = (typeof INCIDENT_STEPS)[number]

/** What may happen in an incident. Those of steps name their step. */
export const INCIDENT_EVENT_KINDS = [
  'declared',
  'step-began',
  'step-done',
  'step-stopped',
  'step-failed',
  'approval-wanted',
  'approved',
  'notified',
  'notice-failed',
  'drilled',
  'withdrawn',
] as const

/** One of {@link INCIDENT_EVENT_KINDS}. */
export type IncidentEventKind = (typeof INCIDENT_EVENT_KINDS)[number]

/** A value of JSON. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [k: string]: Json }

/** What an event says beside its kind: counts, names, reasons. Never key bytes, never plaintext. */
export type IncidentDetails = Readonly<Record<string, Json>>

/** One thing that happened in an incident. Nothing is ever taken back. */
export interface IncidentEvent {
  readonly incidentId: string
  /** From 1 on, without gaps: the order of what happened, whatever clocks say. */
  readonly sequence: number
  /** UUID in its text form; tells an event whose answer got lost from one of somebody else. */
  readonly eventId: string
  /** By the wall clock of whoever did it. */
  readonly atMs: number
  readonly actor: string
  /** The process that works on the incident; null for what a person does. */
  readonly runId: string | null
  readonly kind: IncidentEventKind
  readonly step: IncidentStep | null
  readonly details: IncidentDetails
}

/** Where events of incidents are kept for good. Append-only. Errors: SEAL_MAPPING_*. */
export interface IncidentLog {
  /** Makes the incident known, and then appends its first event, of kind declared. May be repeated. */
  declare(event: IncidentEvent): Promise<void>
  /**
   * Adds the event at its sequence. Durable when it resolves to true; false when another event stands
   * there. May be repeated.
   */
  append(event: IncidentEvent): Promise<boolean>
  /** The events of an incident in their order; none for an id that nobody knows. */
  events(incidentId: string): Promise<readonly IncidentEvent[]>
  /** Ids, the newest first as clocks go, at most so many. One may have no events. */
  ids(max: number): Promise<readonly string[]>
}

/** Who works on an incident. A lease runs out by itself, by the clock of the store. Errors: SEAL_MAPPING_*. */
export interface IncidentLease {
  /** Resolves to null when `holder` has it now, else to the name of who has it. */
  take(incidentId: string, holder: string): Promise<string | null>
  /** Takes it from one who is known to have ended. false when it is not theirs any more. */
  takeOver(incidentId: string, from: string, holder: string): Promise<boolean>
  /** Goes on holding it. false when it was lost. */
  renew(incidentId: string, holder: string): Promise<boolean>
  /** Lets go of it, when it is held. */
  release(incidentId: string, holder: string): Promise<void>
}

/** How long a lease lasts that nobody renews. */
export const LEASE_MS = 15_000
