import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraDekStore } from '../adapters/cassandra/dek-store.ts'
import { durabilityOf, durabilityRisk } from '../adapters/cassandra/durability.ts'
import { CassandraKekOrderLog } from '../adapters/cassandra/kek-order-log.ts'
import { CassandraKeyDesk } from '../adapters/cassandra/key-desk.ts'
import { CassandraKeyEventLog } from '../adapters/cassandra/key-event-log.ts'
import { CassandraMappingWriter } from '../adapters/cassandra/mapping-writer.ts'
import { type HostMemory, tuneMemory } from '../adapters/host/process-memory.ts'
import { KafkaAdmin } from '../adapters/kafka/kafka-admin.ts'
import { KafkaMessageSource } from '../adapters/kafka/kafka-message-source.ts'
import { PartPool } from '../adapters/piscina/part-pool.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../adapters/s3/s3-object-store.ts'
import { systemClock } from '../clock.ts'
import { rssBytesMaxOf } from '../config/memory-need.ts'
import type { Config } from '../config/schema.ts'
import { type EngineChoice, selectEngine } from '../crypto/cipher-engine.ts'
import { withFailpoints } from '../failpoints.ts'
import { actorOfInstance, newInstanceId } from '../keys/instance.ts'
import { domainOfBy } from '../keys/key-domain.ts'
import { KeyJournal } from '../keys/key-journal.ts'
import type { KeyObserver } from '../keys/key-observer.ts'
import { KeyWatcher } from '../keys/key-watcher.ts'
import { windowPolicyOf } from '../keys/window-policy.ts'
import type { PipelineObserver } from '../pipeline/observer.ts'
import { Pipeline, type PipelineSettings } from '../pipeline/pipeline.ts'
import type { CrewObserver, ReencryptionCrew } from '../reencryption/crew.ts'
import { LiveFirst } from '../reencryption/live-first.ts'
import type { ScheduleObserver } from '../reencryption/rotation-schedule.ts'
import type { IncidentObserver } from '../response/incident-standing.ts'
import { watchIncidents } from './incident-watch.ts'
import { startKekFollower } from './keks.ts'
import { writableKeyDirectoryOf } from './key-directory.ts'
import { everyKeyStore } from './key-store.ts'
import { prepareKeyspace } from './keyspace.ts'
import { openKms } from './kms.ts'
import { openCrew } from './reencryption-crew.ts'
import { openSchedule } from './rotation-schedule.ts'
import {
  cassandraOptionsOf,
  domainRuleOf,
  kafkaOptionsOf,
  kmsChoiceOf,
  s3OptionsOf,
} from './service-options.ts'
import { growingSink, prepareTopics } from './topics.ts'

/** A road that is ready to run, and the one call that ends everything it is connected to. */
export interface Encryptor {
  /** Names this process at the key desk and in key events. */
  readonly instanceId: string
  /** The cipher engine that seals, and why that one. */
  readonly cipher: EngineChoice
  /** The ceiling of the memory of this process, and whether its allocator gives back what is freed. */
  readonly memory: { readonly rssBytesMax: number } & Pick<HostMemory, 'untuned'>
  /** null, or in words why mapping rows may get lost that Cassandra has acknowledged. */
  readonly mappingRisk: string | null
  /** Goes to the key desk and starts to consume. Rejects when either cannot be reached. */
  start(): Promise<void>
  /** Resolves after `stop`; rejects with the failure that no waiting mends. */
  readonly finished: Promise<void>
  /** As {@link Pipeline.stop}; then the last key events are written and the key desk is left. */
  stop(drainMs: number): Promise<boolean>
  /** Ends every connection and thread. Stop it first. */
  close(): Promise<void>
}

/** A connection that does not end by then is left to the end of the process. */
const CLOSE_MS_MAX = 3_000

/** What the segment that is re-encrypted at the stop may take; who is late leaves it to others. */
const OTHERS_MS_MAX = 3_000

/** What the last key events may take, and then the last word at the key desk. */
const KEY_RECORDS_MS_MAX = 1_000

/** Hears what the road and the keeping of keys tell. */
export type EncryptorObserver = PipelineObserver &
  KeyObserver &
  CrewObserver &
  ScheduleObserver &
  IncidentObserver

/** Hears what the client libraries report. */
export type LibraryLog = (level: string, message: string) => void

/**
 * Connects to everything, checks what can be checked before the first message (topics, bucket,
 * schema, key, cipher), and wires the road. Throws the first thing that is wrong, with nothing left open.
 */
export async function composeEncryptor(
  config: Config,
  observer: EncryptorObserver,
  onLog: LibraryLog,
): Promise<Encryptor> {
  const closers: (() => Promise<void>)[] = []
  const close = async () => {
    const all = async () => {
      for (const end of closers.reverse()) await end().catch(() => {})
    }
    await Promise.race([all(), systemClock.sleep(CLOSE_MS_MAX)])
  }
  try {
    const cipher = await selectEngine(config.cipher.engine)
    const memory = await tuneMemory()
    const wired = await wire(config, { cipher, memory }, observer, onLog, closers)
    const { untuned } = memory
    return { ...wired, cipher, memory: { rssBytesMax: rssBytesMaxOf(config), untuned }, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function wire(
  config: Config,
  { cipher, memory }: { readonly cipher: EngineChoice; readonly memory: HostMemory },
  observer: EncryptorObserver,
  onLog: LibraryLog,
  closers: (() => Promise<void>)[],
): Promise<Omit<Encryptor, 'cipher' | 'memory' | 'close'>> {
  const kafka = kafkaOptionsOf(config, onLog)
  const admin = new KafkaAdmin(kafka)
  closers.push(() => admin.close())
  const clusterId = await admin.connect()
  await prepareTopics(config, admin)

  const store = new S3ObjectStore(s3OptionsOf(config))
  closers.push(() => store.close())
  await store.checkWritable(config.s3.prefix)

  const cassandra = cassandraOptionsOf(config)
  await prepareKeyspace(config)
  const session = await connectCassandra(cassandra)
  closers.push(() => session.close())
  const mappingRisk = durabilityRisk(await durabilityOf(session, cassandra))
  const mappingMode = config.mapping.mode
  const mapping = withFailpoints(new CassandraMappingWriter(session, systemClock, mappingMode), {
    recordIntent: 'intent',
    recordTotals: 'source-totals',
    recordSealed: 'sealed-mark',
    recordPublished: 'published-mark',
  })

  const kms = openKms(kmsChoiceOf(config), {
    triesMax: 1,
    onCall: (...call) => observer.kmsCall(...call),
  })
  closers.push(() => kms.close())
  const keks = await startKekFollower(config, { kms, log: new CassandraKekOrderLog(session) })

  const cipherEngine = cipher.engine.name
  const { messageIdHeader } = config.mapping
  const pool = new PartPool(config.workers, {
    ...{ s3: s3OptionsOf(config), cassandra, mappingMode, cipherEngine },
    referencePer: config.kafka.referencePer,
    ...(messageIdHeader === undefined ? {} : { messageIdHeader }),
  })
  closers.push(() => pool.close())
  const liveFirst = new LiveFirst(systemClock)
  const { groupId, transactionTimeoutMs } = config.kafka
  const source = withFailpoints(
    new KafkaMessageSource({ ...config.kafka, ...kafka }, admin, clusterId),
    { startOffsets: 'offsets-read' },
  )
  const sink = growingSink(config, admin, { ...kafka, groupId, transactionTimeoutMs })
  const objects = new S3ObjectReader(s3OptionsOf(config))
  closers.push(() => objects.close())
  const directory = writableKeyDirectoryOf(objects, store, config.s3)
  const keyStore = everyKeyStore(directory, new CassandraDekStore(session))
  const instanceId = newInstanceId()
  const actor = actorOfInstance(instanceId)
  const events = new CassandraKeyEventLog(session)
  const journal = new KeyJournal({ log: events, clock: systemClock, observer, actor })
  const keys = {
    kms: withFailpoints(kms, { generateDataKey: 'dek-wrap' }),
    keyStore,
    events: withFailpoints(events, { append: 'dek-events' }),
    ...{ actor, kekOf: keks.kekOf },
  }
  const parts = {
    source,
    sink,
    store: withFailpoints(store, {
      createUpload: 'upload-open',
      completeUpload: 'upload-complete',
    }),
    mapping,
    runner: liveFirst.parts(pool),
    keys,
    lives: journal,
    observer,
    clock: systemClock,
    memory,
  }
  const pipeline = new Pipeline(parts, settingsOf(config))
  const desk = new CassandraKeyDesk(session)
  const watching = { desk, keks, keys: pipeline.keys, clock: systemClock, observer }
  const watcher = new KeyWatcher(watching, { instanceId, groupId })
  const road = withKeyRecords(pipeline, journal, watcher)
  watchIncidents(config, session, observer, closers)
  const crew = openCrew(config, { kafka, actor, observer, liveFirst }, closers)
  const schedule = openSchedule(config, { session, kafka, holder: instanceId, observer }, closers)
  const beside = [crew, schedule].filter((one) => one !== null)
  return { instanceId, mappingRisk, ...withOthers(road, beside) }
}

/** The road from its start to its end, with the keeping of keys around it. */
function withKeyRecords(
  pipeline: Pipeline,
  journal: KeyJournal,
  watcher: KeyWatcher,
): Pick<Encryptor, 'start' | 'finished' | 'stop'> {
  return {
    async start() {
      // Before the first DEK, see KeyWatcher.
      await watcher.start()
      await pipeline.start()
    },
    finished: pipeline.finished,
    async stop(drainMs) {
      const isDrained = await pipeline.stop(drainMs)
      await journal.close(KEY_RECORDS_MS_MAX, pipeline.keys.held())
      await watcher.stop(KEY_RECORDS_MS_MAX)
      return isDrained
    },
  }
}

/** What a process does beside the road. */
type Beside = Pick<ReencryptionCrew, 'start' | 'stop'>

/** The road, and beside it a share of what is to be re-encrypted. */
function withOthers<T extends Pick<Encryptor, 'start' | 'stop'>>(
  road: T,
  others: readonly Beside[],
): T {
  return {
    ...road,
    async start() {
      await road.start()
      for (const one of others) one.start()
    },
    async stop(drainMs: number) {
      const stopped = Promise.all(others.map((one) => one.stop()))
      const othersStopped = Promise.race([stopped, systemClock.sleep(OTHERS_MS_MAX)])
      const [isDrained] = await Promise.all([road.stop(drainMs), othersStopped])
      return isDrained
    },
  }
}

function settingsOf(config: Config): PipelineSettings {
  const { referenceTopicSuffix, quarantineTopicSuffix, lanes } = config.kafka
  const { bytesMax, messagesMax, ageMs, publishWithinMs } = config.segment
  const keyDomain = domainRuleOf(config)
  return {
    lanes,
    referenceTopicSuffix,
    quarantineTopicSuffix,
    prefix: config.s3.prefix,
    messageBytesMax: config.message.bytesMax,
    onUnsealable: config.message.onUnsealable,
    segment: {
      ...{ bytesMax, messagesMax, ageMs, publishWithinMs },
      partBytesMax: config.part.bytesMax,
    },
    window: windowPolicyOf(config.window, config.exposure),
    keyDomain,
    domainOf: domainOfBy(keyDomain),
    openSegmentsMax: config.keyDomain.openSegmentsMax,
    inFlightBytesMax: config.memory.inFlightBytesMax,
    rssBytesMax: rssBytesMaxOf(config),
    deksMax: config.memory.deksMax,
  }
}
