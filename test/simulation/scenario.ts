import { domainOfBy } from '../../src/keys/key-domain.ts'
import { windowPolicyOf } from '../../src/keys/window-policy.ts'
import type { TopicPartition } from '../../src/pipeline/message-source.ts'
import type { ReferencePer } from '../../src/pipeline/part-references.ts'
import type { PipelineSettings } from '../../src/pipeline/pipeline.ts'
import { type FaultRates, NO_FAULTS, type Service } from './network.ts'
import type { Random } from './random.ts'

/**
 * safety: faults without end, and nothing may ever be wrong. liveness: faults end at some time, and
 * soon afterwards everything must be sealed.
 */
export const MODES = ['safety', 'liveness'] as const
export type Mode = (typeof MODES)[number]

export const DOMAIN_HEADER = 'tenant'
const MIB = 1024 * 1024
/** Everything is sealed so long after the end of the faults. */
const LIVENESS_MS = 120_000
/** What the last sweep takes, with all its waiting. */
const LAST_SWEEP_MS = 300_000

/** How long things go on in one run, in virtual time. */
interface Times {
  /** Messages come in until here. */
  readonly produceMs: number
  /** Processes and services are struck until here; in liveness mode all faults end here. */
  readonly faultsEndMs: number
  readonly safetyEndMs: number
  /** The longest sleep of a process, and the longest outage of a service. */
  readonly incidentMsMax: number
}

const TIMES: Times = {
  produceMs: 15_000,
  faultsEndMs: 25_000,
  safetyEndMs: 45_000,
  incidentMsMax: 25_000,
}
/** Longer, since a sweep takes only what is old. */
const SWEPT_TIMES: Times = {
  produceMs: 70_000,
  faultsEndMs: 90_000,
  safetyEndMs: 130_000,
  incidentMsMax: 80_000,
}

/** All that a seed decides before anything happens. */
export interface Scenario {
  readonly mode: Mode
  readonly produceMs: number
  readonly faultsEndMs: number
  readonly endMs: number
  /** Sweeps run beside the encryptors, and in liveness mode one when all is sealed. */
  readonly isSwept: boolean
  /** Wall clocks of processes are off by this much at most. */
  readonly skewMsMax: number
  readonly partitions: readonly TopicPartition[]
  readonly messages: number
  readonly hosts: number
  readonly settings: PipelineSettings
  /** Records that one fetch gives at most. */
  readonly fetchMax: number
  /** Whether batches without messages are handed to the road, or passed over by the client. */
  readonly givesEmptyBatches: boolean
  readonly rates: Record<Service, FaultRates>
  /** Of processes and services, how many incidents there are. */
  readonly incidents: number
  readonly incidentMsMax: number
  /** How many source records are markers or aborted, and how many offsets are compacted away. */
  readonly markerShare: number
  readonly gapShare: number
  readonly unsealableShare: number
  /** Messages are so large that segments take several parts. */
  readonly isLarge: boolean
  readonly referencePer: ReferencePer
}

/** `sweeps` is said in place of the seed where it is not null. */
export function scenarioOf(random: Random, mode: Mode, sweeps: boolean | null): Scenario {
  const isSweptBySeed = random.chance(0.25)
  const isSwept = sweeps ?? isSweptBySeed
  const { produceMs, faultsEndMs, safetyEndMs, incidentMsMax } = isSwept ? SWEPT_TIMES : TIMES
  const livenessEndMs = faultsEndMs + LIVENESS_MS + (isSwept ? LAST_SWEEP_MS : 0)
  const isLarge = random.chance(0.01)
  const topics = random.pick([['orders'], ['orders'], ['orders', 'bills']])
  const partitions = random.int(1, 3)
  const settings = settingsOf(random, isLarge, isSwept)
  const calm = random.chance(0.1)
  const rates = (): FaultRates => (calm ? NO_FAULTS : ratesOf(random))
  return {
    ...{ mode, produceMs, faultsEndMs, isSwept, incidentMsMax },
    endMs: mode === 'safety' ? safetyEndMs : livenessEndMs,
    skewMsMax: isSwept ? 5_000 : 90_000,
    partitions: topics.flatMap((topic) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    ),
    messages: isLarge ? random.int(8, 16) : random.pick([20, 40, 60, 100, 200]),
    hosts: random.pick([1, 2, 2, 2, 3]),
    settings,
    fetchMax: random.pick([1, 4, 12, 40, 40]),
    givesEmptyBatches: random.chance(0.5),
    rates: { kafka: rates(), s3: rates(), cassandra: rates(), kms: rates() },
    incidents: random.int(0, 8),
    markerShare: random.pick([0, 0, 0.1, 0.4]),
    gapShare: random.pick([0, 0, 0.1]),
    unsealableShare: random.pick([0, 0, 0, 0.03]),
    isLarge,
    referencePer: random.pick(['message', 'part'] as const),
  }
}

/** Most calls go well, and what goes wrong differs from service to service. */
function ratesOf(random: Random): FaultRates {
  const rate = () => random.pick([0, 0.003, 0.01, 0.04])
  const rates = { refused: rate(), requestLost: rate(), replyLost: rate(), held: rate() }
  return { ...rates, slow: random.pick([0, 0.02, 0.1]) }
}

function settingsOf(random: Random, isLarge: boolean, isSwept: boolean): PipelineSettings {
  const isByHeader = random.chance(0.3)
  const keyDomain = isByHeader
    ? ({ by: 'header', header: DOMAIN_HEADER, fallback: random.pick(['none', null]) } as const)
    : ({ by: 'topic' } as const)
  const window = {
    ageMs: random.pick([700, 3_000, 10_000, 60_000]),
    messagesMax: random.pick([1, 5, 20, 20, 1_000, 1_000]),
    bytesMax: isLarge ? 64 * MIB : random.pick([2_000, 10_000, MIB]),
    outageFactor: random.pick([1, 2, 4]),
    reserve: random.pick([0, 0, 1, 2]),
  }
  return {
    lanes: random.int(1, 3),
    ...{ prefix: 'sealed', referenceTopicSuffix: '.sealed', quarantineTopicSuffix: '.quarantine' },
    messageBytesMax: isLarge ? 4 * MIB : 2_000,
    onUnsealable: random.pick(['stop', 'quarantine'] as const),
    segment: {
      bytesMax: isLarge ? 24 * MIB : random.pick([3_000, 20_000, MIB]),
      messagesMax: random.pick([1, 4, 20, 20, 1_000]),
      partBytesMax: 5 * MIB,
      ageMs: random.pick([100, 500, 2_000, 8_000]),
      publishWithinMs: isSwept ? 15_000 : random.pick([15_000, 60_000, 3_600_000]),
    },
    window: windowPolicyOf(window),
    keyDomain,
    domainOf: domainOfBy(keyDomain),
    openSegmentsMax: random.pick([1, 2, 16]),
    inFlightBytesMax: isLarge ? 64 * MIB : random.pick([3_000, 10_000, MIB]),
    deksMax: random.pick([1, 2, 100]),
    rssBytesMax: 1,
  }
}
