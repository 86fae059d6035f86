import { type CassandraConnection, connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { CassandraRotationLog } from '../adapters/cassandra/rotation-log.ts'
import { CassandraSegmentReplacements } from '../adapters/cassandra/segment-replacements.ts'
import type { KafkaOptions } from '../adapters/kafka/kafka-client.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import { RotationSchedule, type ScheduleObserver } from '../reencryption/rotation-schedule.ts'
import type { StatusSources } from '../reencryption/rotation-status.ts'
import { openWorkQueue } from './reencryption-crew.ts'
import { cassandraOptionsOf } from './service-options.ts'

/** How often a process looks whether a round is due. */
const LOOK_EVERY_MS = 30_000
/** A process that dies with the lease holds the others up for so long. */
const LEASE_MS = 60_000
/** What a look gives out; the next one goes on when that is done. */
const ORDERS_MAX = 100_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** The share of an encryptor in the schedule; null when its configuration has none. */
export function openSchedule(
  { reencryption, kafka: settings }: Config,
  around: {
    readonly session: CassandraConnection
    readonly kafka: KafkaOptions
    readonly holder: string
    readonly observer: ScheduleObserver
  },
  closers: (() => Promise<void>)[],
): RotationSchedule | null {
  const { olderThanDays, everyHours } = reencryption.schedule
  if (olderThanDays === undefined) return null
  const { session, observer, holder } = around
  const queue = openWorkQueue({ kafka: settings }, around.kafka)
  closers.push(() => queue.close())
  return new RotationSchedule(
    {
      rotation: new CassandraRotationLog(session),
      mapping: new CassandraLookUps(session),
      marks: new CassandraSegmentReplacements(session),
      ...{ queue, clock: systemClock },
    },
    observer,
    {
      ...{ olderThanMs: olderThanDays * DAY_MS, everyMs: everyHours * HOUR_MS },
      ...{ ordersMax: ORDERS_MAX, holder, leaseMs: LEASE_MS },
    },
    LOOK_EVERY_MS,
  )
}

/** Runs `work` with what a report of the schedule reads: Cassandra alone. */
export async function withRotationStatus<T>(
  config: Config,
  work: (sources: StatusSources & { readonly mapping: Pick<LookUps, 'coverAll'> }) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    return await work({
      rotation: new CassandraRotationLog(session),
      mapping: new CassandraLookUps(session),
    })
  } finally {
    await session.close()
  }
}
