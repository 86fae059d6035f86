import type { KafkaOptions } from '../adapters/kafka/kafka-client.ts'
import { KafkaWorkQueue } from '../adapters/kafka/kafka-work-queue.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { KeyObserver } from '../keys/key-observer.ts'
import type { SegmentReplacements } from '../mapping/segment-replacements.ts'
import type { PatienceObserver } from '../pipeline/patience.ts'
import { type CrewObserver, ReencryptionCrew } from '../reencryption/crew.ts'
import type { LiveFirst } from '../reencryption/live-first.ts'
import type { PlanSources } from '../reencryption/plan.ts'
import type { WorkQueue } from '../reencryption/work-queue.ts'
import { withPlanSources, withReencryption } from './reencryption.ts'
import { kafkaOptionsOf } from './service-options.ts'

/** How often an encryptor looks whether there is something to be re-encrypted. */
const LOOK_EVERY_MS = 5_000

/** How long one that lacks rights leaves orders to others. */
const STEP_BACK_MS = 60_000

/** The orders of the place of a configuration; who shares its group shares them. */
export function openWorkQueue(
  { kafka: settings }: Pick<Config, 'kafka'>,
  kafka: KafkaOptions,
): WorkQueue {
  const { groupId, sessionTimeoutMs, replicationFactor } = settings
  const name = `${groupId}.reencryption`
  const place = { topic: name, groupId: name }
  return new KafkaWorkQueue({ ...kafka, ...place, sessionTimeoutMs, replicationFactor })
}

/** The queue of orders, and what is on record of the segments that they are for. */
export interface PlaceOfSharing {
  readonly queue: WorkQueue
  readonly marks: Pick<SegmentReplacements, 'recordDue'>
  readonly sources: PlanSources
}

/** Runs `work` with the orders and the register of a configuration, and ends the connections. */
export async function withSharing<T>(
  config: Config,
  work: (place: PlaceOfSharing) => Promise<T>,
): Promise<T> {
  const queue = openWorkQueue(config, kafkaOptionsOf(config))
  try {
    return await withPlanSources(config, ({ marks, sources }) => work({ queue, marks, sources }))
  } finally {
    await queue.close()
  }
}

/** The part that an encryptor takes in re-encryptions; null when its configuration wants none. */
export function openCrew(
  config: Config,
  around: {
    readonly kafka: KafkaOptions
    readonly actor: string
    readonly observer: CrewObserver & PatienceObserver & KeyObserver
    readonly liveFirst: LiveFirst
  },
  closers: (() => Promise<void>)[],
): ReencryptionCrew | null {
  const { enabled, segmentsAtOnce: ordersAtOnce } = config.reencryption
  if (!enabled) return null
  const { threads, bytesPerSecond, kmsCallsPerSecond } = config.reencryption
  const { actor, observer } = around
  const queue = openWorkQueue(config, around.kafka)
  const stop = new AbortController()
  closers.push(async () => {
    stop.abort()
    await queue.close()
  })
  const limits = { threads, bytesPerSecond, kmsCallsPerSecond }
  const liveFirst = config.reencryption.yieldToSealing ? around.liveFirst : null
  const use = { actor, observer, ...limits, leaving: null, liveFirst, signal: stop.signal }
  return new ReencryptionCrew(
    {
      ...{ queue, observer, clock: systemClock },
      withServices: (work) => withReencryption(config, use, ({ services }) => work(services)),
    },
    { ordersAtOnce, lookEveryMs: LOOK_EVERY_MS, stepBackMs: STEP_BACK_MS },
  )
}
