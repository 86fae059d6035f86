/**
 * What was measured, and all that the paper model of docs/capacity.md knows of the program. Whoever measures again
 * changes figures here and nothing else, and writes the tables of the page anew (`npx vitest run --project unit sizing -u`).
 *
 * CPU: decision 0015, the whole road on two cores, 1 KiB messages, 8 partitions, verified: 25 million by rows, 9
 * million by runs with a reference a part. Disk of the mapping: `npm run bench -- mapping`. Bytes of a reference: the log of a reference
 * topic. What a segment costs: `npm run bench -- scaling --axis domains`, 300,000 messages in 1,000 key domains and 10,000 segments,
 * less what they cost in one.
 */
export const COEFFICIENTS = {
  rows: {
    /** CPU microseconds a message of 1 KiB, by component. */
    cpuMicros: { encryptor: 8.8, cassandra: 10.6, s3: 2.0, kafka: 2.4 },
    /** The part of it that one thread of each process bears, which no further core relieves. */
    mainThreadMicros: 2.7,
    /** Bytes of the mapping a message, one copy, after compression. */
    mappingBytes: 14.8,
  },
  runs: {
    cpuMicros: { encryptor: 5.4, cassandra: 1.9, s3: 4.0, kafka: 2.0 },
    mainThreadMicros: 2.5,
    mappingBytes: 1.9,
  },
  /** CPU microseconds a segment, over and above its messages: what many small segments cost. */
  segmentMicros: { encryptor: 3_300, cassandra: 3_500, s3: 1_000, kafka: 100 },
  /** Bytes of a message in the log of its topic beside its value, and of its reference in the log of that. */
  recordBytes: 10,
  referenceBytes: 225,
  /** Frame, parcel and footer around a value, in a segment. */
  sealedBytes: 61,
  /** One copy, before compression: a segment in `segments_by_dek`, a DEK in `deks_by_kek`. */
  segmentRowBytes: 195,
  dekRowBytes: 130,
  /** Rows of one statement, and of a packed run. */
  rowsAStatement: 244,
} as const

/** What the model takes for granted of machines, services and their operators. None of it was measured. */
export const ASSUMPTIONS = {
  /** Nothing is planned to be busier. */
  busyMax: 0.6,
  copies: 3,
  /** How long Kafka keeps messages and references. */
  kafkaDays: 1,
  brokerCores: 8,
  brokerDiskBytes: 8e12,
  brokerDiskBytesPerSecond: 500e6,
  /** Each way. */
  brokerNetworkBytesPerSecond: 1.25e9,
  cassandraCores: 8,
  cassandraDiskBytes: 2e12,
  cassandraDiskBytesPerSecond: 500e6,
  /** Size-tiered by sixteens: writes once again for each factor of 16 between a flush and all that a node holds. */
  cassandraRewrites: 4,
  /** What one source partition is planned to carry. */
  partitionBytesPerSecond: 10e6,
  /** From the begin of a transaction of a lane to the next one's, at the fastest. */
  transactionSeconds: 0.02,
  /** Cassandra wants partitions below it. */
  cassandraPartitionBytes: 100e6,
  hoursAMonth: 730,
} as const

/** The defaults of the configuration that decide how often anything happens. */
export const DEFAULTS = {
  lanes: 4,
  segmentSeconds: 1,
  segmentBytes: 64 * 2 ** 20,
  segmentMessages: 20_000,
  partBytes: 8 * 2 ** 20,
  windowSeconds: 3600,
  windowBytes: 64 * 2 ** 30,
  windowMessages: 100_000_000,
} as const
