import type { Clock } from '../clock.ts'
import { impactOf } from '../incident/impact.ts'
import type { ImpactReader } from '../incident/impact-scope.ts'
import { type PlanSources, planReencryption } from '../reencryption/plan.ts'
import { planRewrap } from '../rewrap/plan.ts'
import { LIST_PRICES } from '../service-costs.ts'
import { impactScopeOf } from './assess.ts'
import { type Declaration, incidentOf, stepOf } from './incident.ts'
import type { IncidentLog } from './incident-log.ts'
import { reencryptionScopeOf } from './reencrypt-segments.ts'
import { type IncidentRewrapServices, rewrapScopeOf } from './rewrap-deks.ts'
import type { StepPace } from './step-work.ts'

/** Where a plan looks. Nothing is changed, and no KMS is asked. */
export interface IncidentPlanPorts {
  readonly impact: ImpactReader
  readonly rewrap: IncidentRewrapServices
  readonly reencrypt: PlanSources
  readonly log: IncidentLog
  readonly clock: Clock
}

/** What the steps may take, and what they cost. */
export interface PlanPrices extends Pick<StepPace, 'kmsCallsPerSecond' | 'bytesPerSecond'> {
  readonly usdPer10kKmsCalls: number
  /** How long segments are open: instances answer when theirs are closed. */
  readonly segmentMs: number
  /** Of the windows of the configuration: a new DEK for so much. */
  readonly windowMessagesMax: number
  readonly windowBytesMax: number
}

/** What an incident would do, and about what it would take. */
export interface IncidentPlan {
  readonly messages: number
  readonly bytes: number
  readonly deks: number
  readonly toRewrap: number
  readonly toReencrypt: {
    readonly segments: number
    readonly messages: number
    readonly bytes: number
  }
  /** Begun or sealed, and not published (yet). */
  readonly unpublished: number
  readonly kmsCalls: number
  /** Of the calls to the KMS. */
  readonly kmsCostUsd: number
  /** By step, without what the approval takes. */
  readonly seconds: {
    readonly contain: number
    readonly assess: number
    readonly rewrap: number
    readonly reencrypt: number
    readonly prove: number
    readonly total: number
  }
  /** Bytes a second that the estimate goes by, and where they come from. */
  readonly pace: { readonly bytesPerSecond: number; readonly from: 'limit' | 'before' | 'assumed' }
}

/** What the benchmarks give on two cores with every service on them; a machine of its own does more. */
const ASSUMED = {
  bytesPerSecond: 40 * 1024 * 1024,
  messagesListedPerSecond: 250_000,
  objectsScannedPerSecond: 100,
}
/** Looking for the order, answering, writing it down. */
const ANSWER_SECONDS = 3
/** Less than this tells nothing about a pace. */
const TELLING_BYTES = 64 * 1024 * 1024
const INCIDENTS_LOOKED_AT = 20
/** One unwrap of the old DEK, beside the new ones. */
const CHECK_CALLS = 3

/** Counts, prices and times a whole incident. Throws SEAL_KEY_UNKNOWN and SEAL_MAPPING_*. */
export async function planIncident(
  ports: IncidentPlanPorts,
  declaration: Declaration,
  prices: PlanPrices,
): Promise<IncidentPlan> {
  const { kmsCallsPerSecond, usdPer10kKmsCalls } = prices
  const scope = rewrapScopeOf(ports.rewrap, declaration)
  const rewrapPace = { kmsCallsPerSecond, prices: { ...LIST_PRICES, usdPer10kKmsCalls } }
  const impact = await impactOf(ports.impact, impactScopeOf(declaration))
  const rewrap = await planRewrap(ports.rewrap, scope, rewrapPace)
  const reencryptionScope = reencryptionScopeOf(declaration)
  const left = await planReencryption(ports.reencrypt, reencryptionScope, ports.clock.nowMs())
  const pace = await paceOf(ports.log, prices)
  const windows = Math.max(
    Math.ceil(left.messages / prices.windowMessagesMax),
    Math.ceil(left.bytes / prices.windowBytesMax),
  )
  const kmsCalls = CHECK_CALLS + rewrap.kmsCalls + left.deks + windows
  const steps = {
    contain: prices.segmentMs / 1000 + ANSWER_SECONDS,
    assess: impact.messages / ASSUMED.messagesListedPerSecond,
    rewrap: rewrap.seconds,
    reencrypt: left.bytes / pace.bytesPerSecond,
    prove: impact.objects / ASSUMED.objectsScannedPerSecond,
  }
  const total = Object.values(steps).reduce((sum, seconds) => sum + seconds, 0)
  const { segments, messages, bytes, unpublished } = left
  return {
    ...{ messages: impact.messages, bytes: impact.bytes, deks: impact.deks },
    ...{ toRewrap: rewrap.toRewrap, toReencrypt: { segments, messages, bytes }, unpublished },
    ...{ kmsCalls, kmsCostUsd: (kmsCalls / 10_000) * usdPer10kKmsCalls },
    ...{ seconds: { ...steps, total }, pace },
  }
}

/** The pace that is set, or that of the last incident or drill that tells one, or what is assumed. */
async function paceOf(
  log: IncidentLog,
  { bytesPerSecond }: PlanPrices,
): Promise<IncidentPlan['pace']> {
  const before = await paceBefore(log)
  const [known, from] =
    before === null ? ([ASSUMED.bytesPerSecond, 'assumed'] as const) : ([before, 'before'] as const)
  return bytesPerSecond < known
    ? { bytesPerSecond, from: 'limit' }
    : { bytesPerSecond: known, from }
}

async function paceBefore(log: IncidentLog): Promise<number | null> {
  for (const id of await log.ids(INCIDENTS_LOOKED_AT)) {
    const events = await log.events(id)
    if (events.length === 0) continue
    const { details, durationMs, attempts } = stepOf(incidentOf(id, events), 'reencrypt')
    const bytes = Number(details.bytes ?? 0)
    // One that was interrupted lay still in between.
    const isTelling = attempts === 1 && bytes >= TELLING_BYTES && (durationMs ?? 0) > 0
    if (isTelling) return bytes / ((durationMs as number) / 1000)
  }
  return null
}
