import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const DURATION_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]
const SEGMENT_BYTES = [4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144].map((kib) => kib * 1024)

/** Every metric of the product, and the registry that holds them. */
export type Metrics = ReturnType<typeof createMetrics>

/** Metrics in a registry of their own, so that two of them can live in one process. */
export function createMetrics() {
  const registry = new Registry()
  const road = roadMetrics(registry)
  const keys = keyMetrics(registry, road.packedMessages)
  return {
    registry,
    ...road,
    ...keys,
    ...keyRecordMetrics(registry),
    ...stateMetrics(registry),
    ...incidentMetrics(registry),
  }
}

/** Adds CPU, memory, event loop and garbage collection of this process, as prom-client names them. */
export function collectProcessMetrics(metrics: Metrics): void {
  collectDefaultMetrics({ register: metrics.registry })
}

/** Messages on their way. */
function roadMetrics(registry: Registry) {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `sealstream_${name}`, help, labelNames, registers: [registry] })
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets = DURATION_SECONDS,
  ) =>
    new Histogram({ name: `sealstream_${name}`, help, labelNames, buckets, registers: [registry] })
  return {
    packedMessages: counter('packed_messages_total', 'Messages packed into parts.', ['topic']),
    packedBytes: counter('packed_bytes_total', 'Plaintext bytes packed into parts.', ['topic']),
    sealedFrames: counter('sealed_frames_total', 'Frames sealed, uploaded and mapped.', ['topic']),
    sealedBytes: counter('sealed_bytes_total', 'Bytes of sealed and uploaded parts.', ['topic']),
    partSeconds: histogram(
      'part_duration_seconds',
      'Time of one part in a worker, by step: seal, upload, map.',
      ['step'],
    ),
    segments: counter('sealed_segments_total', 'Segments complete in the object store.', ['topic']),
    segmentBytes: histogram('segment_bytes', 'Size of complete segments.', [], SEGMENT_BYTES),
    segmentOpenSeconds: histogram(
      'segment_open_seconds',
      'Time from the first message of a segment until it was complete.',
      [],
    ),
    references: counter('published_references_total', 'References in committed transactions.', []),
    publishedSegments: counter(
      'published_segments_total',
      'Segments whose references are out.',
      [],
    ),
    transactionSeconds: histogram('transaction_duration_seconds', 'Time of one transaction.', []),
    visibleSeconds: histogram(
      'visible_delay_seconds',
      'Time from the oldest packed message of a transaction until its commit.',
      [],
    ),
  }
}

/** The sum of a counter over its labels. */
async function total(counter: Counter<string>): Promise<number> {
  const { values } = await counter.get()
  return values.reduce((sum, { value }) => sum + value, 0)
}

/** Data keys and the KMS. */
function keyMetrics(registry: Registry, packedMessages: Counter<'topic'>) {
  const registers = [registry]
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `sealstream_${name}`, help, registers })
  const kmsCalls = new Counter({
    name: 'sealstream_kms_calls_total',
    help: 'Calls to the KMS, by operation (generate, unwrap, rewrap) and outcome (ok, failed).',
    labelNames: ['operation', 'outcome'],
    registers,
  })
  return {
    deksCreated: new Counter({
      name: 'sealstream_deks_created_total',
      help: 'Data keys made.',
      registers,
    }),
    dekRefusals: new Counter({
      name: 'sealstream_dek_refusals_total',
      help: 'Data keys that the KMS refused to make ahead. Alert: sealing ends at the hard limits.',
      registers,
    }),
    keyWaitSeconds: new Histogram({
      name: 'sealstream_key_wait_seconds',
      help: 'Time that a new segment waited for its data key; turns of windows among them.',
      buckets: DURATION_SECONDS,
      registers,
    }),
    liveDeks: gauge('live_deks', 'Data keys in memory under which messages were sealed.'),
    exposedMessages: gauge(
      'exposed_messages',
      'Messages that the leak of one data key in use would reveal, at most.',
    ),
    exposedBytes: gauge(
      'exposed_bytes',
      'Sealed bytes that the leak of one data key in use would reveal, at most.',
    ),
    exposedSeconds: gauge(
      'exposed_seconds',
      'Time span that the leak of one data key in use would reveal, at most.',
    ),
    exposedShare: gauge(
      'exposed_share',
      'Largest share of a hard limit that a data key has used: 1 is the exposure budget.',
    ),
    kmsCalls,
    kmsCallsPerMillion: new Gauge({
      name: 'sealstream_kms_calls_per_million_messages',
      help: 'Calls to the KMS for a million packed messages, since the process began.',
      registers,
      async collect() {
        const messages = await total(packedMessages)
        this.set(messages === 0 ? 0 : ((await total(kmsCalls)) / messages) * 1_000_000)
      },
    }),
    kmsSeconds: new Histogram({
      name: 'sealstream_kms_call_duration_seconds',
      help: 'Time of one call to the KMS.',
      labelNames: ['operation'],
      buckets: DURATION_SECONDS,
      registers,
    }),
  }
}

/** Key events and the desk of operators. */
function keyRecordMetrics(registry: Registry) {
  const registers = [registry]
  return {
    unwrittenKeyEvents: new Gauge({
      name: 'sealstream_unwritten_key_events',
      help: 'Key events (first use, last use, retired) that Cassandra has not taken yet.',
      registers,
    }),
    lostKeyEvents: new Counter({
      name: 'sealstream_lost_key_events_total',
      help: 'Key events given up unwritten. Alert on any increase.',
      registers,
    }),
    keyRecordFailures: new Counter({
      name: 'sealstream_key_record_failures_total',
      help: 'Tries to write key events or to read the key desk that failed.',
      labelNames: ['what'],
      registers,
    }),
    kekOrder: new Gauge({
      name: 'sealstream_kek_order',
      help: 'Newest KEK order in force here, 0 without any. Alert when processes of a keyspace differ.',
      registers,
    }),
    refusedKekOrders: new Gauge({
      name: 'sealstream_refused_kek_orders',
      help: 'KEK orders not taken over: the KEK of before goes on being used. Alert when it stays above 0.',
      registers,
    }),
    keyDeskReadAt: new Gauge({
      name: 'sealstream_key_desk_read_timestamp_seconds',
      help: 'When the key desk was last read. Alert when older than 15 s: rotate-now misses the process.',
      registers,
    }),
  }
}

/** Incidents and drills of the keyspace, the same in every process of it. */
function incidentMetrics(registry: Registry) {
  const registers = [registry]
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `sealstream_${name}`, help, registers })
  return {
    openIncidents: gauge(
      'open_incidents',
      'Incidents that are declared and neither closed nor withdrawn.',
    ),
    drillPassedAt: gauge(
      'drill_last_success_timestamp_seconds',
      'When a drill passed last, 0 for never. Alert when older than your rules allow.',
    ),
    drillFailedAt: gauge(
      'drill_last_failure_timestamp_seconds',
      'When a drill failed last, 0 for never. Alert when later than the last success.',
    ),
    drillOverdue: gauge(
      'drill_overdue',
      '1 when no drill passed within drill.everyDays, else 0; 0 without that section. Alert on 1.',
    ),
    drillSeconds: new Gauge({
      name: 'sealstream_drill_seconds',
      help: 'Time of the last drill that passed until it was contained, known, clean.',
      labelNames: ['until'],
      registers,
    }),
  }
}

/** How the process stands, and what went wrong. */
function stateMetrics(registry: Registry) {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `sealstream_${name}`, help, labelNames, registers: [registry] })
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name: `sealstream_${name}`, help, labelNames, registers: [registry] })
  return {
    inFlightBytes: gauge('in_flight_bytes', 'Bytes read but not yet published.', []),
    memoryBytesMax: gauge('memory_bytes_max', 'Ceiling of the memory of the process.', []),
    memoryShare: gauge(
      'memory_share',
      'Memory of the process (RSS) as a share of its ceiling; reading pauses from 0.9 on.',
      [],
    ),
    memoryHeld: gauge(
      'memory_held',
      '1 while reading pauses because the ceiling of memory is near, else 0. Alert when it stays 1.',
      [],
    ),
    assignedPartitions: gauge('assigned_partitions', 'Partitions that this process holds.', []),
    assignedLanes: gauge('assigned_lanes', 'Lanes that this process holds.', []),
    failedTries: counter(
      'service_failed_tries_total',
      'Tries that failed in a way that passes, by service.',
      ['service'],
    ),
    waiting: gauge(
      'service_waiting',
      '1 while something waits for the service, else 0. For kms, sealing goes on until exposed_share is 1.',
      ['service'],
    ),
    laneResets: counter('lane_resets_total', 'Lanes that began again at their offsets.', []),
    partitionStops: counter(
      'partition_stops_total',
      'Partitions that stopped until somebody acts. Alert on any increase.',
      ['topic'],
    ),
    stoppedPartitions: gauge(
      'stopped_partitions',
      'Partitions that stopped since the process began.',
      [],
    ),
    reencryptedSegments: counter(
      'reencrypted_segments_total',
      'Segments that this process re-encrypted, by what became of them.',
      ['outcome'],
    ),
    reencryptedBytes: counter(
      'reencrypted_bytes_total',
      'Bytes of segments brought under new DEKs.',
      [],
    ),
    reencryptionSteppedBack: gauge(
      'reencryption_stepped_back',
      '1 while this process leaves re-encryptions to others for want of rights. Alert when it stays 1.',
      [],
    ),
    dueSegments: gauge(
      'rotation_due_segments',
      'Segments whose data key is older than reencryption.schedule.olderThanDays, when last counted.',
      [],
    ),
    dueBytes: gauge('rotation_due_bytes', 'Their bytes.', []),
    overdueSeconds: gauge(
      'rotation_overdue_seconds',
      'How long the oldest of them is older than that. Alert when above three times everyHours.',
      [],
    ),
    rotationCountedAt: gauge(
      'rotation_counted_timestamp_seconds',
      'When they were last counted, by whichever process. Alert when older than twice everyHours.',
      [],
    ),
    quarantined: counter(
      'quarantined_messages_total',
      'Unsealable messages that were noted and passed over.',
      ['topic'],
    ),
  }
}
