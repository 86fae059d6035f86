import type { Clock } from '../clock.ts'
import { isSealError, messageOf, SealError } from '../errors.ts'
import { step as failpointStep } from '../failpoints.ts'
import { APPROVED_STEPS, type Approvers, approvalOf } from './approval.ts'
import { type Incident, nextStepOf, stepOf, timesOf } from './incident.ts'
import { IncidentJournal } from './incident-journal.ts'
import {
  type IncidentLease,
  type IncidentLog,
  type IncidentStep,
  LEASE_MS,
} from './incident-log.ts'
import { type NoticeHook, Notifier } from './notices.ts'
import type { StepControl, StepEnding, StepWork } from './step-work.ts'

/** What a run works with. Everything stays the caller's to close. */
export interface IncidentRunServices {
  readonly log: IncidentLog
  readonly lease: IncidentLease
  readonly clock: Clock
  readonly work: StepWork
  readonly hooks: readonly NoticeHook[]
  readonly approvers: Approvers
}

/** Who runs an incident, and how. */
export interface IncidentRunOptions {
  /** As their machine says: user@host. */
  readonly actor: string
  /** Names this process; unique over restarts. */
  readonly runId: string
  /** A process that works on it and has ended, as the operator knows; null to wait for its lease. */
  readonly takeOver: string | null
  readonly control: StepControl
  /** Hears of every step that begins or ends. */
  readonly onStep: (incident: Incident, step: IncidentStep) => void
}

/** How far a run has come. */
export interface IncidentRunEnd {
  readonly incident: Incident
  /** closed: all is done; awaiting: an approval is missing; else how the step at hand ended. */
  readonly kind: 'closed' | 'awaiting' | Exclude<StepEnding['kind'], 'done'>
  readonly step: IncidentStep | null
  /** One sentence for people; null where there is nothing to say. */
  readonly reason: string | null
}

/** A proof that is older is made again before the key is destroyed: an approval may take days. */
const PROOF_MS_MAX = 15 * 60_000

const RENEW_EVERY_MS = 4_000
const LEASE_LOOK_EVERY_MS = 500
/** One that died lets go after the time of its lease, give or take the clock of a node. */
const LEASE_WAIT_MS = LEASE_MS + 5_000

/**
 * Goes through the steps of an incident from where it stands, and stops where an approval is missing
 * or a step does not come to its end. May be killed anywhere and run again: each step is on record
 * before it begins and after it ended, and may be repeated. One process at a time works on an
 * incident; another one waits for as long as a lease lasts, and then throws SEAL_INCIDENT_BUSY.
 * Throws what a step throws, once that is on record.
 */
export async function runIncident(
  services: IncidentRunServices,
  incidentId: string,
  options: IncidentRunOptions,
): Promise<IncidentRunEnd> {
  const { actor, runId } = options
  const journal = await IncidentJournal.open(services, incidentId, { actor, runId })
  if (journal.incident.isWithdrawn) {
    throw new SealError('SEAL_INPUT_INVALID', `incident ${incidentId} was withdrawn`)
  }
  const held = await hold(services, incidentId, options)
  const { control } = options
  const signal = AbortSignal.any([control.signal, held.lost])
  const notifier = new Notifier(journal, services.hooks, (text) => control.listener.said(text))
  try {
    await journal.refresh()
    const run = { services, journal, notifier, options, control: { ...control, signal } }
    const end = await goThrough(run)
    if (end.kind !== 'stopped' || control.signal.aborted) return end
    const message = `another process took incident ${incidentId} over: this one was silent for too long`
    throw new SealError('SEAL_INCIDENT_BUSY', message)
  } finally {
    notifier.catchUp()
    await notifier.settle()
    await held.release()
  }
}

interface Run {
  readonly services: IncidentRunServices
  readonly journal: IncidentJournal
  readonly notifier: Notifier
  readonly options: IncidentRunOptions
  readonly control: StepControl
}

async function goThrough(run: Run): Promise<IncidentRunEnd> {
  const { services, journal, notifier, options, control } = run
  for (;;) {
    notifier.catchUp()
    const { incident } = journal
    const step = stepToDo(incident, services)
    if (step === null) return { incident, kind: 'closed', step, reason: null }
    if (control.signal.aborted) return { incident, kind: 'stopped', step, reason: null }
    if (isApprovalMissing(incident, step, services.approvers)) {
      if (!incident.isApprovalWanted) await journal.append({ kind: 'approval-wanted', step })
      const reason = `step ${step} destroys, and needs a second person: sealstream incident approve ${incident.declaration.incidentId} --step ${step} --by NAME`
      return { incident: journal.incident, kind: 'awaiting', step, reason }
    }
    await journal.append({ kind: 'step-began', step })
    options.onStep(journal.incident, step)
    const ending = await carryOut(run, step)
    options.onStep(journal.incident, step)
    if (ending.kind === 'done') continue
    return { incident: journal.incident, kind: ending.kind, step, reason: ending.reason ?? null }
  }
}

/** The next step; the proof once more when it has grown old before the key is destroyed. */
function stepToDo(
  incident: Incident,
  { clock, approvers }: IncidentRunServices,
): IncidentStep | null {
  const step = nextStepOf(incident)
  if (step !== 'retire' || isApprovalMissing(incident, step, approvers)) return step
  const { endedAtMs } = stepOf(incident, 'prove')
  return Math.abs(clock.nowMs() - (endedAtMs ?? 0)) > PROOF_MS_MAX ? 'prove' : step
}

function isApprovalMissing(incident: Incident, step: IncidentStep, approvers: Approvers): boolean {
  // A drill touches nothing but its canary, and nobody is awake to approve.
  if (incident.declaration.kind === 'drill' || !APPROVED_STEPS.includes(step)) return false
  return approvalOf(incident, step, approvers) === null
}

/** Does a step, and puts on record how it ended. */
async function carryOut(
  { services, journal, control }: Run,
  step: IncidentStep,
): Promise<StepEnding> {
  const { incident } = journal
  let ending: StepEnding
  try {
    ending = await failpointStep(`incident-${step}`, () =>
      step === 'report' ? report(incident, services) : services.work[step](incident, control),
    )
  } catch (error) {
    if (isSealError(error, 'SEAL_STOPPED') && control.signal.aborted) {
      ending = { kind: 'stopped', details: {} }
    } else {
      const code = isSealError(error) ? error.code : null
      const details = { code, reason: messageOf(error) }
      // What ended the step may be that nothing can be written: that is the failure to tell.
      await journal.append({ kind: 'step-failed', step, details }).catch(() => {})
      throw error
    }
  }
  const { kind, reason, details } = ending
  const why = reason === undefined ? {} : { reason }
  if (kind === 'done') await journal.append({ kind: 'step-done', step, details })
  else if (kind === 'stopped') await journal.append({ kind: 'step-stopped', step, details })
  else {
    await journal.append({
      kind: 'step-failed',
      step,
      details: { ...details, ending: kind, ...why },
    })
  }
  return ending
}

/** The last step: what it all took. */
async function report(incident: Incident, { clock }: IncidentRunServices): Promise<StepEnding> {
  const { declaredAtMs } = incident.declaration
  const totalMs = Math.max(0, clock.nowMs() - declaredAtMs)
  return { kind: 'done', details: { ...timesOf(incident), totalMs } }
}

/** Holds the lease until it is released. Throws SEAL_INCIDENT_BUSY when another process has it. */
async function hold(
  { lease, clock }: IncidentRunServices,
  incidentId: string,
  { runId, takeOver, control }: IncidentRunOptions,
): Promise<{ readonly lost: AbortSignal; release(): Promise<void> }> {
  const endMs = clock.elapsedMs() + LEASE_WAIT_MS
  let isSaid = false
  for (;;) {
    const holder = await lease.take(incidentId, runId)
    if (holder === null) break
    const isTheirs = takeOver !== null && holder === takeOver
    if (isTheirs && (await lease.takeOver(incidentId, holder, runId))) break
    if (control.signal.aborted || clock.elapsedMs() >= endMs) {
      const message = `process ${holder} works on incident ${incidentId}; if it has ended, wait ${LEASE_MS / 1000} s, or name it with --take-over`
      throw new SealError('SEAL_INCIDENT_BUSY', message)
    }
    if (!isSaid)
      control.listener.said(`process ${holder} works on it, or did; waiting for its word`)
    isSaid = true
    await clock.sleep(LEASE_LOOK_EVERY_MS, control.signal)
  }
  const lost = new AbortController()
  const over = new AbortController()
  const renewing = async () => {
    while (!over.signal.aborted) {
      await clock.doze(RENEW_EVERY_MS, over.signal)
      if (over.signal.aborted) return
      // One try that fails is made again in time; what matters is stopped by the journal.
      const isHeld = await lease.renew(incidentId, runId).catch(() => true)
      if (!isHeld) lost.abort('lease')
    }
  }
  const work = renewing()
  return {
    lost: lost.signal,
    async release() {
      over.abort()
      await work
      await lease.release(incidentId, runId).catch(() => {})
    },
  }
}
