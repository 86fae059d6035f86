import { SealError } from '../errors.ts'
import type { LeftKek } from '../keys/left-kek.ts'
import {
  INCIDENT_STEPS,
  type IncidentDetails,
  type IncidentEvent,
  type IncidentStep,
} from './incident-log.ts'

/** What somebody declared. */
export interface Declaration {
  readonly incidentId: string
  readonly kind: 'incident' | 'drill'
  /** The KEK that is to be left, in full or by its bare id. */
  readonly kekId: string
  /** null for all versions of it. */
  readonly kekVersion: string | null
  /** The KEK of new DEKs; null for a new version of the same. */
  readonly newKekId: string | null
  /** The key domain that is touched; null for all that have the KEK. */
  readonly keyDomain: string | null
  readonly reason: string
  /** Who declared it, as they say. */
  readonly by: string
  /** The same as their machine says: user@host. */
  readonly actor: string
  readonly declaredAtMs: number
  /** Of the KEK order or key request of containment: the same one, however often it is given. */
  readonly orderId: string
}

/** How one step stands. */
export interface StepState {
  readonly step: IncidentStep
  readonly state: 'pending' | 'running' | 'stopped' | 'failed' | 'done'
  /** How often it was begun. */
  readonly attempts: number
  readonly beganAtMs: number | null
  /** Of the last event about it. */
  readonly endedAtMs: number | null
  /** From its first beginning until it was done at last; null before. */
  readonly durationMs: number | null
  /** What the last event about its end said. */
  readonly details: IncidentDetails
}

/** What somebody said to a step that waits for it. */
export interface Approval {
  readonly step: IncidentStep
  /** As they say. */
  readonly by: string
  /** As their machine says. */
  readonly actor: string
  readonly atMs: number
  /** Ed25519 in base64; null where none was given. */
  readonly signature: string | null
}

/** An incident as its events tell it. */
export interface Incident {
  readonly declaration: Declaration
  readonly steps: readonly StepState[]
  readonly approvals: readonly Approval[]
  readonly isApprovalWanted: boolean
  readonly isWithdrawn: boolean
  /** When the last step was done; null before. */
  readonly closedAtMs: number | null
  readonly events: readonly IncidentEvent[]
}

/** Milliseconds from the declaration until each was reached; null before. */
export interface IncidentTimes {
  /** The extent of the damage was known. */
  readonly knowMs: number | null
  /** Nothing more was sealed under the old key. */
  readonly containMs: number | null
  /** Nothing was readable by the old key any more, as proven. */
  readonly cleanMs: number | null
}

/** The steps that are done again when a proof has failed: there may be new work for them. */
const DONE_AGAIN: ReadonlySet<IncidentStep> = new Set(['rewrap', 'reencrypt', 'prove'])

const PENDING: Omit<StepState, 'step'> = {
  ...{ state: 'pending', attempts: 0, beganAtMs: null, endedAtMs: null, durationMs: null },
  details: {},
}

/** Reads the events of one incident. Throws SEAL_INCIDENT_UNKNOWN when there are none. */
export function incidentOf(incidentId: string, events: readonly IncidentEvent[]): Incident {
  const [first] = events
  if (first === undefined) {
    const message = `no incident ${incidentId} is on record in this keyspace; see sealstream incident list`
    throw new SealError('SEAL_INCIDENT_UNKNOWN', message)
  }
  const steps = new Map<IncidentStep, StepState>(
    INCIDENT_STEPS.map((step) => [step, { step, ...PENDING }]),
  )
  const approvals: Approval[] = []
  for (const event of events) {
    if (event.step !== null && event.kind.startsWith('step-')) take(steps, event.step, event)
    if (event.kind === 'approved' && event.step !== null) approvals.push(approvalOf(event))
  }
  const has = (kind: IncidentEvent['kind']) => events.some((event) => event.kind === kind)
  const last = steps.get('report') as StepState
  return {
    declaration: declarationOf(first),
    steps: [...steps.values()],
    ...{ approvals, events, isApprovalWanted: has('approval-wanted') },
    isWithdrawn: has('withdrawn'),
    closedAtMs: last.state === 'done' ? last.endedAtMs : null,
  }
}

/** The next step to be done; null when all are. */
export function nextStepOf({ steps }: Incident): IncidentStep | null {
  return steps.find(({ state }) => state !== 'done')?.step ?? null
}

/** One step of an incident. */
export function stepOf({ steps }: Incident, step: IncidentStep): StepState {
  return steps.find((one) => one.step === step) as StepState
}

/** What is to be left. */
export function leftKekOf({ kekId, kekVersion }: Declaration): LeftKek {
  return { kekId, kekVersion }
}

/** What the KEK is called among people. */
export function kekNameOf({
  kekId,
  kekVersion,
}: Pick<Declaration, 'kekId' | 'kekVersion'>): string {
  return kekVersion === null ? kekId : `${kekId} version ${kekVersion}`
}

/** How long it took, by the clocks of those who worked on it. */
export function timesOf(incident: Incident): IncidentTimes {
  const since = (step: IncidentStep) => {
    const { state, endedAtMs } = stepOf(incident, step)
    if (state !== 'done' || endedAtMs === null) return null
    return Math.max(0, endedAtMs - incident.declaration.declaredAtMs)
  }
  return { knowMs: since('assess'), containMs: since('contain'), cleanMs: since('prove') }
}

function take(
  steps: Map<IncidentStep, StepState>,
  step: IncidentStep,
  { kind, atMs, details }: IncidentEvent,
): void {
  const before = steps.get(step) as StepState
  if (kind === 'step-began') {
    const beganAtMs = before.beganAtMs ?? atMs
    const attempts = before.attempts + 1
    steps.set(step, { ...before, state: 'running', attempts, beganAtMs })
    return
  }
  const ended = { ...before, endedAtMs: atMs, details }
  if (kind === 'step-done') {
    const durationMs = Math.max(0, atMs - (before.beganAtMs ?? atMs))
    steps.set(step, { ...ended, state: 'done', durationMs })
  } else steps.set(step, { ...ended, state: kind === 'step-failed' ? 'failed' : 'stopped' })
  if (step !== 'prove' || kind !== 'step-failed') return
  for (const name of DONE_AGAIN) {
    const one = steps.get(name) as StepState
    if (one.state === 'done') steps.set(name, { ...one, state: 'pending', durationMs: null })
  }
}

function approvalOf({ step, actor, atMs, details }: IncidentEvent): Approval {
  const { by, signature } = details
  return {
    ...{ step: step as IncidentStep, actor, atMs, by: String(by) },
    signature: typeof signature === 'string' ? signature : null,
  }
}

/** The details of the event of kind declared. */
export function declarationDetails(declaration: Declaration): IncidentDetails {
  const { incidentId: _, actor: __, declaredAtMs: ___, ...details } = declaration
  return details
}

function declarationOf({ incidentId, actor, atMs, details }: IncidentEvent): Declaration {
  const text = (name: string) => String(details[name])
  const textOrNull = (name: string) => (typeof details[name] === 'string' ? details[name] : null)
  return {
    ...{ incidentId, actor, declaredAtMs: atMs },
    kind: details.kind === 'drill' ? 'drill' : 'incident',
    ...{ kekId: text('kekId'), kekVersion: textOrNull('kekVersion') },
    ...{ newKekId: textOrNull('newKekId'), keyDomain: textOrNull('keyDomain') },
    ...{ reason: text('reason'), by: text('by'), orderId: text('orderId') },
  }
}
