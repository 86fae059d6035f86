import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { isSealError, messageOf, SealError } from '../errors.ts'
import type { Reference } from '../format/reference-value.ts'
import {
  type Canary,
  type CanaryPorts,
  type CanaryTopic,
  canaryKeks,
  refuseSharedCanary,
} from './canary.ts'
import { CanaryReaders, type ReadingCounts } from './canary-readers.ts'
import { type DeclarePorts, declare } from './declare.ts'
import { type Declaration, type IncidentTimes, timesOf } from './incident.ts'
import { IncidentJournal } from './incident-journal.ts'
import { isOpen, recentIncidents } from './open-incidents.ts'
import type { IncidentRunEnd } from './run-incident.ts'

/** What a drill works with. */
export interface DrillPorts extends CanaryPorts, DeclarePorts {
  readonly mapping: DeclarePorts['mapping'] & CanaryPorts['mapping']
  readonly clock: Clock
  readonly topic: CanaryTopic
  /** Runs the steps of a declared incident. */
  readonly run: (incidentId: string) => Promise<IncidentRunEnd>
  /** Hears what is done now. */
  readonly onPhase: (phase: string) => void
}

/** How a drill is made. */
export interface DrillSettings extends Canary {
  readonly messages: number
  readonly messageBytes: number
  /** How long the canary messages may take to be sealed and published. */
  readonly sealedWithinMs: number
  readonly actor: string
  readonly signal: AbortSignal
}

/** What came of a drill. */
export interface DrillReport {
  readonly incidentId: string
  readonly isPassed: boolean
  /** Why it did not pass; else null. */
  readonly reason: string | null
  readonly messages: number
  readonly readings: ReadingCounts
  /** Objects of the canary that the old KEK opens yet. */
  readonly openedByOldKek: number
  readonly times: IncidentTimes
}

const NO_READINGS: ReadingCounts = { read: 0, failed: 0, wrong: 0, firstFailure: null }
const NO_TIMES: IncidentTimes = { knowMs: null, containMs: null, cleanMs: null }

/**
 * A whole incident on the canary, with readers at work all the time: canary messages are sealed, their
 * KEK is declared leaked, every step is done, and in the end the old KEK opens nothing of theirs while
 * the new one alone opens all. What came of it is on record, whatever it is. Throws SEAL_INPUT_INVALID
 * when the canary shares a KEK, before anything is done, and SEAL_MAPPING_* when nothing can be put on
 * record.
 */
export async function drill(ports: DrillPorts, settings: DrillSettings): Promise<DrillReport> {
  await refuseSharedCanary(ports, settings)
  const { from, to } = await canaryKeks(ports, settings)
  const { keyDomain, actor, messages } = settings
  const asked = {
    ...({ kind: 'drill', kekId: from, kekVersion: null, newKekId: to, keyDomain } as const),
    ...{ reason: 'drill', by: actor, actor },
  }
  const state: DrillState = {
    ...{ incident: null, readings: NO_READINGS, openedByOldKek: 0, times: NO_TIMES },
  }
  let reason: string | null = null
  try {
    reason = await attempt(ports, settings, state, () => declare(ports, asked))
  } catch (error) {
    if (!isSealError(error)) throw error
    reason = messageOf(error)
  }
  const { incidentId } = state.incident ?? (await declareFailed(ports, asked, actor))
  const { readings, openedByOldKek, times } = state
  const isPassed = reason === null
  const report = { incidentId, isPassed, reason, messages, readings, openedByOldKek, times }
  const journal = await IncidentJournal.open(ports, incidentId, { actor, runId: null })
  const { incidentId: _, ...rest } = report
  const details = { ...rest, readings: { ...readings }, times: { ...times } }
  await journal.append({ kind: 'drilled', details })
  return report
}

interface DrillState {
  incident: Declaration | null
  readings: ReadingCounts
  openedByOldKek: number
  times: IncidentTimes
}

/** Why the drill did not pass; null when it did. */
async function attempt(
  ports: DrillPorts,
  settings: DrillSettings,
  state: DrillState,
  declareIt: () => Promise<Declaration>,
): Promise<string | null> {
  const unfinished = await finishOpenDrills(ports)
  if (unfinished !== null) return unfinished
  const { topic, onPhase } = ports
  onPhase('canary messages are produced and sealed')
  const values = Array.from({ length: settings.messages }, () => randomBytes(settings.messageBytes))
  const references = await sealed(topic, values, settings)
  const { from, to } = await canaryKeks(ports, settings)
  const readers = new CanaryReaders(topic, references, values, settings.keks, ports.clock)
  readers.start()
  try {
    onPhase('the incident is declared')
    state.incident = await declareIt()
    const end = await ports.run(state.incident.incidentId)
    state.times = timesOf(end.incident)
    if (end.kind !== 'closed') return `it ended ${end.kind} at ${end.step}: ${end.reason ?? ''}`
  } finally {
    state.readings = await readers.stop()
  }
  onPhase('the old KEK is tried on everything, and the new one alone')
  const objects = [...new Set(references.map(({ object }) => object))]
  state.openedByOldKek = (await topic.openedBy(objects, from)).length
  if (state.openedByOldKek > 0) return `the old KEK opens ${state.openedByOldKek} objects`
  state.readings = await readers.readOnceBy([to])
  const { failed, wrong, firstFailure } = state.readings
  if (failed + wrong === 0) return null
  return `${failed} readings failed, ${wrong} gave other bytes: ${firstFailure}`
}

/** A drill that was interrupted is brought to its end first. Why that failed; null when it did not. */
async function finishOpenDrills({ log, run, onPhase }: DrillPorts): Promise<string | null> {
  const open = (await recentIncidents(log)).filter(
    (one) => isOpen(one) && one.declaration.kind === 'drill',
  )
  for (const { declaration } of open.toReversed()) {
    onPhase(`drill ${declaration.incidentId} was interrupted, and is finished first`)
    const { kind, step, reason } = await run(declaration.incidentId)
    if (kind !== 'closed') {
      return `drill ${declaration.incidentId} of before ended ${kind} at ${step}: ${reason ?? ''}`
    }
  }
  return null
}

async function sealed(
  topic: CanaryTopic,
  values: readonly Buffer[],
  { sealedWithinMs, signal }: DrillSettings,
): Promise<readonly Reference[]> {
  const messages = await topic.produce(values)
  const late = AbortSignal.timeout(sealedWithinMs)
  const references = await topic.references(messages, AbortSignal.any([signal, late]))
  if (references.length === messages.length) return references
  if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the drill was stopped')
  const found = `${references.length} of ${messages.length}`
  throw new SealError(
    'SEAL_SOURCE_UNKNOWN',
    `${found} canary messages were sealed and published within ${sealedWithinMs / 1000} s; see that an encryptor runs with the canary topic`,
  )
}

/** A drill that came to nothing before it was declared stands on record too. */
async function declareFailed(
  ports: DrillPorts,
  asked: Parameters<typeof declare>[1],
  actor: string,
): Promise<Declaration> {
  const known = { ...ports, mapping: ANY_KEK }
  const declaration = await declare(known, asked)
  const keeper = { actor, runId: null }
  const journal = await IncidentJournal.open(ports, declaration.incidentId, keeper)
  await journal.append({
    kind: 'withdrawn',
    details: { reason: 'the drill failed before it began' },
  })
  return declaration
}

/** The first drill of all may fail before its KEK has wrapped anything. */
const ANY_KEK: DeclarePorts['mapping'] = {
  async *deksOfKek(kekId) {
    yield { dekId: '', keyDomain: '', kekId, kekVersion: null, createdAtMs: 0 }
  },
}
