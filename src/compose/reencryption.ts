import { type CassandraConnection, connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraDekStore } from '../adapters/cassandra/dek-store.ts'
import { CassandraKekOrderLog } from '../adapters/cassandra/kek-order-log.ts'
import { CassandraKeyEventLog } from '../adapters/cassandra/key-event-log.ts'
import { CassandraLookUps } from '../adapters/cassandra/look-ups.ts'
import { CassandraMappingWriter } from '../adapters/cassandra/mapping-writer.ts'
import { CassandraRotationLog } from '../adapters/cassandra/rotation-log.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { CassandraSegmentReplacements } from '../adapters/cassandra/segment-replacements.ts'
import { ResealPool } from '../adapters/piscina/reseal-pool.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../adapters/s3/s3-object-store.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { selectEngine } from '../crypto/cipher-engine.ts'
import { withFailpoints } from '../failpoints.ts'
import { budgetedKms } from '../keys/budgeted-kms.ts'
import { DekCache } from '../keys/dek-cache.ts'
import { DekWindows } from '../keys/dek-windows.ts'
import type { KekFollower } from '../keys/kek-follower.ts'
import type { WritableKeyDirectory } from '../keys/key-directory.ts'
import { type JournalServices, KeyJournal } from '../keys/key-journal.ts'
import type { Kms } from '../keys/kms.ts'
import { windowPolicyOf } from '../keys/window-policy.ts'
import type { SegmentReplacements } from '../mapping/segment-replacements.ts'
import { PacedBudget } from '../paced-budget.ts'
import { createDekPatiently } from '../pipeline/create-dek-patiently.ts'
import { Patience, type PatienceObserver } from '../pipeline/patience.ts'
import type { LiveFirst, YieldLimits } from '../reencryption/live-first.ts'
import type { PlanSources } from '../reencryption/plan.ts'
import { probeReplacing } from '../reencryption/replace-probe.ts'
import type { ReencryptionServices } from '../reencryption/segment-reencryption.ts'
import { startKekFollower } from './keks.ts'
import { writableKeyDirectoryOf } from './key-directory.ts'
import { everyKeyStore } from './key-store.ts'
import { prepareKeyspace } from './keyspace.ts'
import { openKms } from './kms.ts'
import { allowedKekIdsOf, cassandraOptionsOf, kmsChoiceOf, s3OptionsOf } from './service-options.ts'

/** How much of this machine and of the services a re-encryption may take. */
export interface ReencryptionUse {
  /** Who does it, as key events tell. */
  readonly actor: string
  /** Threads that seal; 0 is one a core. */
  readonly threads: number
  /** Infinity for no limit. */
  readonly bytesPerSecond: number
  readonly kmsCallsPerSecond: number
  readonly observer: PatienceObserver & JournalServices['observer']
  /** See {@link ReencryptionServices.leaving}. */
  readonly leaving: ReencryptionServices['leaving']
  /** Who goes first; null where nothing is sealed beside. */
  readonly liveFirst: LiveFirst | null
  /** Ends all waiting for services. */
  readonly signal: AbortSignal
}

/** What re-encryption works with, and where it finds its work. */
export interface ReencryptionPlace {
  readonly services: ReencryptionServices
  readonly sources: PlanSources
}

/** What is on record: where a plan looks, and where it is noted that segments are due. */
export interface RecordedPlace {
  readonly sources: PlanSources
  readonly marks: Pick<SegmentReplacements, 'recordDue'>
}

/** Ranges that one thread works on at a time: one is read or sent while another is sealed. */
const TASKS_PER_THREAD = 2

/** What was not worked on in this time is made up for: ranges take turns with waiting. */
const BYTES_BURST_MS = 1_000

/** However busy sealing is, a re-encryption comes to its end. */
const YIELDED_BYTES_PER_SECOND = 1024 * 1024

/** DEKs of before that are kept unwrapped: segments come DEK by DEK. */
const OLD_KEYS = { entriesMax: 64, ttlMs: 600_000 }

/** How long a KEK order may go unnoticed. */
const LOOK_FOR_ORDERS_EVERY_MS = 1_000

/** What the last key events may take. */
const KEY_RECORDS_MS_MAX = 5_000

/**
 * Runs `work` with everything that a re-encryption of the place of `config` needs, and ends every
 * connection, thread and key whatever comes of it. Throws what `work` throws, and SEAL_STORE_REFUSED
 * when the store does not replace objects under a condition.
 */
export async function withReencryption<T>(
  config: Config,
  use: ReencryptionUse,
  work: (place: ReencryptionPlace) => Promise<T>,
): Promise<T> {
  const closers: (() => Promise<unknown>)[] = []
  try {
    return await work(await wire(config, use, closers))
  } finally {
    for (const close of closers.reverse()) await close().catch(() => {})
  }
}

/** Runs `work` with what a plan needs: Cassandra alone. */
export async function withPlanSources<T>(
  config: Config,
  work: (place: RecordedPlace) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  try {
    const marks = new CassandraSegmentReplacements(session)
    return await work({ marks, sources: planSources(session) })
  } finally {
    await session.close()
  }
}

function planSources(session: CassandraConnection): PlanSources {
  return {
    mapping: new CassandraLookUps(session),
    rotation: new CassandraRotationLog(session),
  }
}

async function wire(
  config: Config,
  use: ReencryptionUse,
  closers: (() => Promise<unknown>)[],
): Promise<ReencryptionPlace> {
  const cassandra = cassandraOptionsOf(config)
  await prepareKeyspace(config)
  const session = await connectCassandra(cassandra)
  closers.push(() => session.close())
  const s3 = s3OptionsOf(config)
  const store = new S3ObjectStore(s3)
  closers.push(() => store.close())
  const [objects, inventory] = [new S3ObjectReader(s3), new S3ObjectInventory(s3)]
  closers.push(() => Promise.all([objects.close(), inventory.close()]))
  await probeReplacing({ store, objects, inventory }, config.s3.prefix)
  const kmsPace = { perSecond: use.kmsCallsPerSecond, burstMs: 0 }
  const kmsBudget = new PacedBudget(systemClock, kmsPace, use.signal)
  const kms = budgetedKms(openKms(kmsChoiceOf(config), { triesMax: 1 }), kmsBudget)
  closers.push(() => kms.close())
  const keks = await startKekFollower(config, { kms, log: new CassandraKekOrderLog(session) })
  const directory = writableKeyDirectoryOf(objects, store, config.s3)
  const allowedKekIds = [
    ...allowedKekIdsOf(config),
    ...keks.orders.flatMap(({ toKekId }) => toKekId ?? []),
  ]
  const keys = new DekCache({ kms, directory }, systemClock, { ...OLD_KEYS, allowedKekIds })
  closers.push(async () => keys.close())
  const { engine } = await selectEngine(config.cipher.engine)
  const pool = { threads: use.threads, tasksPerThread: TASKS_PER_THREAD }
  const yields = use.liveFirst !== null
  const reseals = new ResealPool(pool, { s3, cipherEngine: engine.name, yields })
  closers.push(() => reseals.close())
  const budget = new PacedBudget(
    systemClock,
    { perSecond: use.bytesPerSecond, burstMs: BYTES_BURST_MS },
    use.signal,
  )
  const runner = use.liveFirst?.ranges(reseals, budget, yieldLimitsOf(use)) ?? reseals
  const patience = new Patience(systemClock, use.observer, use.signal)
  const windows = newWindows(config, use, { kms, keks, directory, session, patience }, closers)
  const register = new CassandraSegmentRegister(session)
  const replacements = withFailpoints(new CassandraSegmentReplacements(session), {
    recordReplacing: 'replacing-intent',
    recordReplaced: 'replaced-mark',
  })
  const services: ReencryptionServices = {
    ...{ objects, keys, windows, register, replacements, runner, patience, clock: systemClock },
    store: withFailpoints(store, {
      createUpload: 'reseal-open',
      completeUpload: 'reseal-complete',
    }),
    inventory: withFailpoints(inventory, { remove: 'old-version' }),
    marks: withFailpoints(new CassandraMappingWriter(session, systemClock, config.mapping.mode), {
      recordSealed: 'resealed-mark',
      recordPublished: 'republished-mark',
    }),
    budget,
    partBytes: config.part.bytesMax,
    leaving: use.leaving,
  }
  return { services, sources: planSources(session) }
}

function yieldLimitsOf({ bytesPerSecond: bytesPerSecondMax }: ReencryptionUse): YieldLimits {
  return {
    bytesPerSecondMin: Math.min(YIELDED_BYTES_PER_SECOND, bytesPerSecondMax),
    bytesPerSecondMax,
  }
}

/** Windows of their own: what is re-encrypted shares no DEK with what is sealed now. */
function newWindows(
  config: Config,
  { actor, observer }: ReencryptionUse,
  {
    kms,
    keks,
    directory,
    session,
    patience,
  }: {
    readonly kms: Kms
    readonly keks: KekFollower
    readonly directory: WritableKeyDirectory
    readonly session: CassandraConnection
    readonly patience: Patience
  },
  closers: (() => Promise<unknown>)[],
): DekWindows {
  const events = new CassandraKeyEventLog(session)
  const journal = new KeyJournal({ log: events, clock: systemClock, observer, actor })
  const maker = {
    ...{ kms, events, actor, clock: systemClock },
    keyStore: everyKeyStore(directory, new CassandraDekStore(session)),
    kekOf: keks.kekOf,
  }
  const windows = new DekWindows({
    createDek: (keyDomain, onTrouble) => createDekPatiently(maker, patience, keyDomain, onTrouble),
    policy: windowPolicyOf(config.window, config.exposure),
    ...{ deksMax: config.memory.deksMax, clock: systemClock, lives: journal },
    // Whoever takes a window hears of it as well.
    onRefused: () => {},
  })
  closers.push(() => journal.close(KEY_RECORDS_MS_MAX, windows.held))
  closers.push(followKekOrders(keks, windows))
  closers.push(() => windows.close())
  return windows
}

/** Ends all windows when a KEK order comes in: what follows is under the KEK that it brings. */
function followKekOrders(keks: KekFollower, windows: DekWindows): () => Promise<void> {
  const over = new AbortController()
  const follow = async () => {
    while (!over.signal.aborted) {
      await systemClock.doze(LOOK_FOR_ORDERS_EVERY_MS, over.signal)
      // What cannot be asked now is asked again; the store would not be reached either.
      const { taken } = await keks.look().catch(() => ({ taken: [] }))
      if (taken.length > 0) void windows.rotate({ dekId: null, keyDomain: null }, 'KEK order')
    }
  }
  const following = follow()
  return async () => {
    over.abort()
    await following
  }
}
