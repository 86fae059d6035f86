import {
  costUsdOf,
  KMS_QUOTA_PER_SECOND,
  LIST_PRICES,
  S3_WRITES_PER_PREFIX_SECOND,
  STANDING_PRICES,
  storageUsdOf,
} from '../../src/service-costs.ts'
import { ASSUMPTIONS, COEFFICIENTS, DEFAULTS } from './coefficients.ts'

/** What has to be borne. */
export interface Load {
  readonly perSecond: number
  /** Of a value. */
  readonly bytes: number
  readonly mapping: 'rows' | 'runs'
  /** How long segments and mapping are kept. */
  readonly retentionDays: number
  /** Key domains that all have messages all the time. */
  readonly domains: number
}

/** A bound, and how much of it is used; the one that is used most breaks first. */
export interface Bound {
  readonly what: string
  readonly used: number
}

/** What a load takes. Machines are whole ones; everything else is a mean. */
export interface Sizing {
  readonly encryptor: { readonly cores: number; readonly processes: number; readonly lanes: number }
  readonly kafka: {
    readonly brokers: number
    readonly partitions: number
    readonly diskBytes: number
    readonly bytesInPerSecond: number
    readonly bytesOutPerSecond: number
  }
  readonly cassandra: {
    readonly nodes: number
    readonly nodesByDisk: number
    readonly rowsPerSecond: number
    readonly statementsPerSecond: number
    readonly bytesADay: number
    readonly compactedBytesPerSecond: number
  }
  readonly s3: {
    readonly segmentsPerSecond: number
    readonly writesPerSecond: number
    readonly writesAMonth: number
    readonly bytesKept: number
  }
  readonly kms: { readonly callsPerSecond: number; readonly callsAMonth: number }
  readonly usdAMonth: Readonly<Record<string, number>>
  /** The one that is used most comes first. */
  readonly bounds: readonly Bound[]
}

const DAY_SECONDS = 86_400

/** What a load takes, by the coefficients and assumptions of this folder. */
export function sizingOf(load: Load): Sizing {
  const encryptor = encryptorOf(load)
  const s3 = s3Of(load, encryptor.lanes)
  const kafka = kafkaOf(load, s3.segmentsPerSecond)
  const cassandra = cassandraOf(load, s3.segmentsPerSecond)
  const kms = kmsOf(load, encryptor.processes)
  const cores = encryptor.cores + segmentCores('encryptor', s3.segmentsPerSecond)
  const sized = { encryptor: { ...encryptor, cores }, kafka, cassandra, s3, kms }
  const bounds = boundsOf(load, sized).toSorted((a, b) => b.used - a.used)
  return { ...sized, usdAMonth: dollarsOf(sized), bounds }
}

type Sized = Omit<Sizing, 'usdAMonth' | 'bounds'>

function planned(cores: number): number {
  return cores / ASSUMPTIONS.busyMax
}

function coresOf({ perSecond, mapping }: Load, who: 'encryptor' | 'cassandra' | 'kafka'): number {
  return planned((perSecond * COEFFICIENTS[mapping].cpuMicros[who]) / 1e6)
}

function segmentCores(who: 'encryptor' | 'cassandra' | 'kafka', perSecond: number): number {
  return planned((perSecond * COEFFICIENTS.segmentMicros[who]) / 1e6)
}

function encryptorOf(load: Load): Sizing['encryptor'] {
  const mainThreads = planned((load.perSecond * COEFFICIENTS[load.mapping].mainThreadMicros) / 1e6)
  const processes = Math.max(2, Math.ceil(mainThreads))
  const lanes = Math.max(DEFAULTS.lanes, 2 * processes)
  return { cores: coresOf(load, 'encryptor'), processes, lanes }
}

function s3Of({ perSecond, bytes, retentionDays, domains }: Load, lanes: number): Sizing['s3'] {
  const bytesPerSecond = perSecond * (bytes + COEFFICIENTS.sealedBytes)
  const segmentsPerSecond = Math.max(
    (lanes * domains) / DEFAULTS.segmentSeconds,
    perSecond / DEFAULTS.segmentMessages,
    bytesPerSecond / DEFAULTS.segmentBytes,
  )
  const parts = Math.ceil(bytesPerSecond / segmentsPerSecond / DEFAULTS.partBytes)
  // One part is one PUT; several are begun and completed besides.
  const writesPerSecond = segmentsPerSecond * (parts === 1 ? 1 : parts + 2)
  const writesAMonth = writesPerSecond * ASSUMPTIONS.hoursAMonth * 3600
  const bytesKept = bytesPerSecond * retentionDays * DAY_SECONDS
  return { segmentsPerSecond, writesPerSecond, writesAMonth, bytesKept }
}

function kafkaOf(load: Load, segmentsPerSecond: number): Sizing['kafka'] {
  const { copies, busyMax, kafkaDays } = ASSUMPTIONS
  const source = load.perSecond * (load.bytes + COEFFICIENTS.recordBytes)
  const references = load.perSecond * COEFFICIENTS.referenceBytes
  const written = (source + references) * copies
  const diskBytes = written * kafkaDays * DAY_SECONDS
  // In: producers, and copies. Out: copies, the encryptors, and one reader of references.
  const bytesOutPerSecond = (source + references) * (copies - 1) + source + references
  const cores = coresOf(load, 'kafka') * copies + segmentCores('kafka', segmentsPerSecond)
  const brokers = Math.max(
    copies,
    Math.ceil(cores / ASSUMPTIONS.brokerCores),
    Math.ceil(written / (ASSUMPTIONS.brokerDiskBytesPerSecond * busyMax)),
    Math.ceil(bytesOutPerSecond / (ASSUMPTIONS.brokerNetworkBytesPerSecond * busyMax)),
    Math.ceil(diskBytes / (ASSUMPTIONS.brokerDiskBytes * busyMax)),
  )
  const partitions = Math.ceil(source / ASSUMPTIONS.partitionBytesPerSecond)
  return { brokers, partitions, diskBytes, bytesInPerSecond: written, bytesOutPerSecond }
}

function cassandraOf(load: Load, segmentsPerSecond: number): Sizing['cassandra'] {
  const { copies, busyMax, cassandraRewrites } = ASSUMPTIONS
  const { perSecond, mapping, retentionDays } = load
  const perCopy =
    perSecond * COEFFICIENTS[mapping].mappingBytes +
    segmentsPerSecond * COEFFICIENTS.segmentRowBytes
  const bytesADay = perCopy * copies * DAY_SECONDS
  const compactedBytesPerSecond = perCopy * copies * cassandraRewrites
  // A copy elsewhere costs less than the one of the node that was asked; so this is a ceiling.
  const cores = (coresOf(load, 'cassandra') + segmentCores('cassandra', segmentsPerSecond)) * copies
  const nodesByDisk = Math.ceil(
    (bytesADay * retentionDays) / (ASSUMPTIONS.cassandraDiskBytes * busyMax),
  )
  const nodes = Math.max(
    copies,
    nodesByDisk,
    Math.ceil(cores / ASSUMPTIONS.cassandraCores),
    Math.ceil(compactedBytesPerSecond / (ASSUMPTIONS.cassandraDiskBytesPerSecond * busyMax)),
  )
  const rowsPerSecond = mapping === 'rows' ? perSecond : 2 * segmentsPerSecond
  const statements = mapping === 'rows' ? perSecond / COEFFICIENTS.rowsAStatement : rowsPerSecond
  const statementsPerSecond = statements + 3 * segmentsPerSecond
  const writes = { rowsPerSecond, statementsPerSecond }
  return { nodes, nodesByDisk, ...writes, bytesADay, compactedBytesPerSecond }
}

function kmsOf({ perSecond, bytes, domains }: Load, processes: number): Sizing['kms'] {
  // A process turns the window of each of its domains; the lanes of a domain may lie in all of them.
  const windows = processes * domains
  const windowSeconds = Math.min(
    DEFAULTS.windowSeconds,
    (DEFAULTS.windowMessages * windows) / perSecond,
    (DEFAULTS.windowBytes * windows) / (perSecond * (bytes + COEFFICIENTS.sealedBytes)),
  )
  const callsPerSecond = windows / windowSeconds
  return { callsPerSecond, callsAMonth: callsPerSecond * ASSUMPTIONS.hoursAMonth * 3600 }
}

function boundsOf({ domains }: Load, { encryptor, kafka, cassandra, s3, kms }: Sized): Bound[] {
  const { cassandraPartitionBytes, transactionSeconds, retentionBound } = BOUNDS
  const deksADay = kms.callsPerSecond * DAY_SECONDS
  const windowsPerSecond = Math.max(kms.callsPerSecond, 1 / DEFAULTS.windowSeconds)
  const segmentsADek = s3.segmentsPerSecond / windowsPerSecond
  return [
    { what: 'S3: writes under one prefix', used: s3.writesPerSecond / S3_WRITES_PER_PREFIX_SECOND },
    { what: 'KMS: smallest quota of a region', used: kms.callsPerSecond / KMS_QUOTA_PER_SECOND },
    {
      what: 'Kafka: transactions of a lane',
      used: (s3.segmentsPerSecond / domains / encryptor.lanes) * transactionSeconds,
    },
    {
      what: 'Cassandra: partition of `segments_by_dek`',
      used: (segmentsADek * COEFFICIENTS.segmentRowBytes) / cassandraPartitionBytes,
    },
    {
      what: 'Cassandra: partition of `deks_by_kek`',
      used: (deksADay * COEFFICIENTS.dekRowBytes) / cassandraPartitionBytes,
    },
    { what: 'Cassandra: nodes of one ring', used: cassandra.nodes / retentionBound },
    { what: 'Kafka: source partitions of one topic', used: kafka.partitions / BOUNDS.partitions },
    { what: 'Encryptor: lanes of one group', used: encryptor.lanes / BOUNDS.lanes },
  ]
}

/** `lanes` is that of the configuration; the others are where operators usually stop. */
const BOUNDS = {
  cassandraPartitionBytes: ASSUMPTIONS.cassandraPartitionBytes,
  transactionSeconds: ASSUMPTIONS.transactionSeconds,
  retentionBound: 100,
  partitions: 4_000,
  lanes: 1_024,
} as const

function dollarsOf({ encryptor, kafka, cassandra, s3, kms }: Sized): Record<string, number> {
  const usdPerCore = STANDING_PRICES.usdPerCoreHour * ASSUMPTIONS.hoursAMonth
  const disk = (bytes: number) =>
    (bytes / ASSUMPTIONS.busyMax / 2 ** 30) * STANDING_PRICES.usdPerGbDisk
  const requests = { s3Writes: s3.writesAMonth, s3Reads: 0, kmsCalls: 0 }
  const keys = { s3Writes: 0, s3Reads: 0, kmsCalls: kms.callsAMonth }
  const cassandraDisk = Math.min(cassandra.nodes, cassandra.nodesByDisk)
  return {
    encryptors: encryptor.cores * usdPerCore,
    kafka: kafka.brokers * ASSUMPTIONS.brokerCores * usdPerCore + disk(kafka.diskBytes),
    cassandra:
      cassandra.nodes * ASSUMPTIONS.cassandraCores * usdPerCore +
      disk(cassandraDisk * ASSUMPTIONS.cassandraDiskBytes * ASSUMPTIONS.busyMax),
    's3 requests': costUsdOf(requests, LIST_PRICES),
    's3 storage': storageUsdOf(s3.bytesKept),
    kms: costUsdOf(keys, LIST_PRICES) + STANDING_PRICES.usdPerKek,
  }
}
