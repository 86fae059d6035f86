import {
  MESSAGE_BYTES_MAX,
  PART_BYTES_MAX,
  PART_BYTES_MIN,
  SEGMENT_BYTES_MAX,
  SEGMENT_MESSAGES_MAX,
  SEGMENT_OPEN_MS_MAX,
} from '../limits.ts'
import { KMS_CALLS_PER_SECOND } from '../service-costs.ts'
import {
  bytes,
  choice,
  count,
  durationMs,
  flag,
  optional,
  section,
  text,
  withDefault,
} from './leaves.ts'
import { HOST_NAME } from './rules.ts'

/** How messages are sealed and how the process behaves, section by section. */

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS

export const segment = section('When an S3 object is closed; the limit reached first closes it.', {
  bytesMax: withDefault(
    bytes({ about: 'Most bytes of one segment.', min: PART_BYTES_MIN, max: SEGMENT_BYTES_MAX }),
    64 * MIB,
  ),
  ageMs: withDefault(
    durationMs({
      about:
        'How long a segment stays open; messages become visible after it. Up to ten times as long while many segments wait.',
      min: 1,
      max: HOUR_MS,
    }),
    SECOND_MS,
  ),
  publishWithinMs: withDefault(
    durationMs({
      about:
        'A segment that is not published so long after its begin never will be; its messages are sealed anew. What sweep may remove is a multiple of this old.',
      min: SECOND_MS,
      max: SEGMENT_OPEN_MS_MAX,
    }),
    2 * HOUR_MS,
  ),
  messagesMax: withDefault(
    count({
      about: 'Most messages of one segment.',
      unit: 'messages',
      min: 1,
      max: SEGMENT_MESSAGES_MAX,
    }),
    20_000,
  ),
})

export const part = section('The unit of parallel work: one part is one task of a thread.', {
  bytesMax: withDefault(
    bytes({ about: 'Size of a full part.', min: PART_BYTES_MIN, max: PART_BYTES_MAX }),
    8 * MIB,
  ),
})

export const message = section('Single messages.', {
  bytesMax: withDefault(
    bytes({
      about: 'Largest message: key, value and headers together. Larger ones are unsealable.',
      min: KIB,
      max: MESSAGE_BYTES_MAX,
    }),
    16 * MIB,
  ),
  onUnsealable: withDefault(
    choice(['stop', 'quarantine'], {
      about: 'What an unsealable message does: stop its partition, or be noted and passed over.',
    }),
    'stop',
  ),
})

export const cipher = section('How AES-256-GCM is called. Every engine gives the same bytes.', {
  engine: withDefault(
    choice(['auto', 'openssl', 'node'], {
      about:
        "Node's own OpenSSL called directly, or node:crypto; auto is the first if its self-test passes.",
    }),
    'auto',
  ),
})

export const memory = section('How much may be under way at a time.', {
  rssBytesMax: optional(
    bytes({
      about:
        'Ceiling of the memory of the process (RSS); reading pauses near it. Must cover what the other sizes add up to.',
      min: 256 * MIB,
      max: 1024 * GIB,
    }),
    'what the other sizes add up to',
    '16GiB',
  ),
  inFlightBytesMax: withDefault(
    bytes({
      about: 'Most bytes of messages not yet stored, and of references not yet published.',
      min: 10 * MIB,
      max: 1024 * GIB,
    }),
    64 * MIB,
  ),
  deksMax: withDefault(
    count({
      about:
        'Most DEKs in memory; beyond, the window of the domain that was quiet longest is ended for each new one.',
      unit: 'keys',
      min: 16,
      max: 10_000_000,
    }),
    10_000,
  ),
})

export const workers = section('The threads that seal, upload and map.', {
  threads: withDefault(
    count({ about: 'Threads. 0 is one per core.', unit: 'threads', min: 0, max: 1024 }),
    0,
  ),
  tasksPerThread: withDefault(
    count({ about: 'Parts that one thread works on at a time.', unit: 'parts', min: 1, max: 64 }),
    2,
  ),
})

/** The section `reencryption`. */
export const reencryption = section(
  'The share of each process in re-encryptions that are shared out.',
  {
    enabled: withDefault(flag({ about: 'Whether to take part, beside sealing.' }), true),
    yieldToSealing: withDefault(
      flag({
        about:
          'Whether to re-encrypt only as fast as sealing does not feel it; false when a key must be left whatever that costs.',
      }),
      true,
    ),
    bytesPerSecond: withDefault(
      bytes({
        about: 'The most that this process re-encrypts in a second; sealing comes first.',
        min: MIB,
        max: 1024 * GIB,
      }),
      32 * MIB,
    ),
    kmsCallsPerSecond: withDefault(
      count({
        about: 'The most calls to the KMS in a second that re-encryption makes here.',
        unit: 'calls',
        min: 1,
        max: 100_000,
      }),
      KMS_CALLS_PER_SECOND,
    ),
    segmentsAtOnce: withDefault(
      count({ about: 'Segments that are worked on at a time.', unit: 'segments', min: 1, max: 24 }),
      2,
    ),
    threads: withDefault(
      count({ about: 'Threads beside those that seal.', unit: 'threads', min: 1, max: 64 }),
      1,
    ),
    schedule: section('Re-encryption of what is under old data keys, without being asked.', {
      olderThanDays: optional(
        count({
          about:
            'Data whose key is older comes under a new one. 30 to 90 days are usual. Alike in all processes.',
          unit: 'days',
          min: 1,
          max: 3650,
        }),
        'nothing is re-encrypted by its age',
        '90',
      ),
      everyHours: withDefault(
        count({
          about: 'How often it is looked for what has become too old.',
          unit: 'hours',
          min: 1,
          max: 168,
        }),
        24,
      ),
    }),
  },
)

export const certificate = section('Statements that sealstream signs.', {
  signingKeyFile: optional(
    text({
      about:
        'File with the Ed25519 key that signs certificates and receipts, mode 0600 (sealstream certificate new-key).',
    }),
    'nothing is signed',
    'signing-key.pem',
  ),
})

export const process = section('The process itself.', {
  memoryDumps: withDefault(
    choice(['refuse', 'allow'], {
      about:
        'Whether core dumps, heap snapshots, reports and debuggers may see the memory, and with it keys.',
    }),
    'refuse',
  ),
})

export const http = section('Metrics and health over HTTP. Without credentials.', {
  enabled: withDefault(flag({ about: 'Whether to serve /metrics, /healthz and /readyz.' }), true),
  host: withDefault(
    text({ about: 'Address to listen on.', bounds: 'host name or IP address', pattern: HOST_NAME }),
    '127.0.0.1',
  ),
  port: withDefault(
    count({ about: 'Port to listen on. 0 is any free port.', unit: 'port', min: 0, max: 65_535 }),
    9464,
  ),
})

export const log = section('Logs, as JSON lines on stderr.', {
  level: withDefault(
    choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
      about: 'Least severe level that is written.',
    }),
    'info',
  ),
})
