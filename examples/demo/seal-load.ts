import { systemClock } from '../../src/clock.ts'
import { type CpuSeconds, cpuMicrosPerMessage, cpuSecondsOf } from './cpu-time.ts'
import type { EncryptorProcess } from './encryptor.ts'
import type { MetricsPage, Quantiles } from './metrics-page.ts'
import type { Produced } from './producer.ts'
import type { Progress } from './screen.ts'

const POLL_MS = 100
const STALLED_MS = 90_000

/** What sealing one load took, measured from outside. */
export interface SealFigures extends Produced {
  /** From before the first message was packed until the last reference was committed. */
  readonly sealSeconds: number
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
  readonly objects: number
  readonly deks: number
  readonly kmsCalls: number
  /** Of one part (about 8 MiB, or what one second brings) in a worker. */
  readonly sealPart: Quantiles | null
  readonly uploadPart: Quantiles | null
  readonly mapPart: Quantiles | null
  /** From a message being packed until its reference is visible. */
  readonly visible: Quantiles | null
  /** By component; null where the machine does not tell. */
  readonly cpuMicrosPerMessage: CpuSeconds | null
}

interface Mark {
  readonly atMs: number
  readonly cpu: CpuSeconds | null
}

/**
 * Watches an encryptor that has just been started until everything produced is sealed and its
 * references are committed. The clock starts at the last look before the first message was packed,
 * so that what it leaves out is start-up alone, and what it takes in is at most one look too much.
 */
export async function watchSealing(
  encryptor: EncryptorProcess,
  produced: Produced,
  servers: Readonly<Record<string, number>>,
  progress: Progress,
  signal: AbortSignal,
): Promise<SealFigures> {
  const mark = (): Mark => ({
    atMs: systemClock.elapsedMs(),
    cpu: cpuSecondsOf({ encryptor: encryptor.pid, ...servers }),
  })
  let begin = mark()
  let published = 0
  let movedAtMs = begin.atMs
  for (;;) {
    signal.throwIfAborted()
    const before = mark()
    const page = await encryptor.metrics()
    if ((page?.sum('sealstream_packed_messages_total') ?? 0) === 0) begin = before
    if (page !== null) {
      const now = page.sum('sealstream_published_references_total')
      if (now > published) movedAtMs = before.atMs
      published = now
      progress.update(Math.min(published, produced.messages))
      if (published >= produced.messages) return figuresOf(produced, page, begin, mark())
      if (page.sum('sealstream_stopped_partitions') > 0) throw encryptor.failure('stopped')
    }
    if (before.atMs - movedAtMs > STALLED_MS) {
      throw encryptor.failure(`published ${published} of ${produced.messages} and then stood still`)
    }
    await systemClock.sleep(POLL_MS, signal)
  }
}

function figuresOf(produced: Produced, page: MetricsPage, begin: Mark, end: Mark): SealFigures {
  const sealSeconds = (end.atMs - begin.atMs) / 1000
  const step = (name: string) => page.quantiles('sealstream_part_duration_seconds', { step: name })
  return {
    ...produced,
    sealSeconds,
    messagesPerSecond: produced.messages / sealSeconds,
    bytesPerSecond: produced.bytes / sealSeconds,
    objects: page.sum('sealstream_sealed_segments_total'),
    deks: page.sum('sealstream_deks_created_total'),
    kmsCalls: page.sum('sealstream_kms_calls_total'),
    sealPart: step('seal'),
    uploadPart: step('upload'),
    mapPart: step('map'),
    visible: page.quantiles('sealstream_visible_delay_seconds'),
    cpuMicrosPerMessage: cpuMicrosPerMessage(begin.cpu, end.cpu, produced.messages),
  }
}
