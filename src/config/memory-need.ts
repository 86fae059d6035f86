import { availableParallelism } from 'node:os'
import { formatBytes } from './quantity.ts'
import type { Config } from './schema.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Node, the libraries, and the heap of the main thread under full load. Measured: 230 MiB. */
const PROCESS_BYTES = 320 * MIB
/** One worker thread: its heap, libraries and connections. Measured: 45 to 80 MiB. */
const THREAD_BYTES = 96 * MIB
/** A fetch as it comes in, the one before that is packed, and two that are not collected yet. */
const COPIES_OF_A_FETCH = 4
/** Buffers of parts are larger than what they hold yet; those that stand idle were in use before. */
const IN_FLIGHT_FACTOR = 1.5
/** One with few messages, and another that is not published yet: parts begin with 16 KiB. */
const OPEN_SEGMENT_BYTES = 64 * KIB
const HELD_DEK_BYTES = 2 * KIB

/** One is read while another is sealed, and each as long as a part and a half. */
const RESEALED_RANGES = 3

/** One item of what the process needs. */
interface Need {
  readonly what: string
  readonly bytes: number
}

/** The ceiling of the process in bytes: as configured, or what its other sizes add up to. */
export function rssBytesMaxOf(config: Config): number {
  return config.memory.rssBytesMax ?? rssBytesNeeded(config)
}

/** What the sizes of a configuration add up to, in bytes. On a machine with more cores it is more. */
export function rssBytesNeeded(config: Config): number {
  return needsOf(config).reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The sum in words. */
export function memoryNeedText(config: Config): string {
  return needsOf(config)
    .map(({ what, bytes }) => `${formatBytes(Math.ceil(bytes / MIB) * MIB)} for ${what}`)
    .join(', ')
}

function needsOf({
  workers,
  memory,
  kafka,
  part,
  keyDomain,
  reencryption,
}: Config): readonly Need[] {
  const threads = workers.threads === 0 ? availableParallelism() : workers.threads
  const openSegments = keyDomain.by === 'header' ? keyDomain.openSegmentsMax * kafka.lanes : 0
  return [
    { what: 'the process', bytes: PROCESS_BYTES },
    {
      what: `${threads} threads with workers.tasksPerThread parts each`,
      bytes: threads * (THREAD_BYTES + workers.tasksPerThread * part.bytesMax),
    },
    ...(reencryption.enabled ? [reencryptionNeed(reencryption.threads, part.bytesMax)] : []),
    { what: 'memory.inFlightBytesMax', bytes: memory.inFlightBytesMax * IN_FLIGHT_FACTOR },
    { what: 'kafka.fetchBytesMax', bytes: kafka.fetchBytesMax * COPIES_OF_A_FETCH },
    {
      what: 'memory.deksMax and open segments',
      bytes: memory.deksMax * HELD_DEK_BYTES + openSegments * OPEN_SEGMENT_BYTES,
    },
  ]
}

/** Ranges in the hands of its threads; those of the workers are as large, and as many a thread. */
function reencryptionNeed(threads: number, partBytes: number): Need {
  const what = 'reencryption.threads'
  return { what, bytes: threads * (THREAD_BYTES + RESEALED_RANGES * partBytes) }
}
