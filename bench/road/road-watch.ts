import { readFileSync } from 'node:fs'
import type { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { rssBytesMaxOf } from '../host/thread-time.ts'
import { markUsage, type Usage, usageBetween } from '../host/usage.ts'

/** How many references were committed at a moment since the first message was packed. */
export interface Progress {
  readonly seconds: number
  readonly references: number
}

/** What the road took for all messages of a topic, from the first one packed to the last commit. */
export interface RoadFigures extends Usage {
  readonly messagesPerSecond: number
  /** Between a tenth and nine tenths of the references: without start and last segments. */
  readonly sustainedPerSecond: number
  readonly rssBytesMax: number | null
  /** Collections of all threads, in microseconds a message; null when they were not traced. */
  readonly gcMicros: number | null
  readonly progress: readonly Progress[]
}

const POLL_MS = 100
const STALLED_MS = 90_000

/**
 * Watches an encryptor that has just been started until it has committed the references of all messages.
 * The clock starts at the last look before the first message was packed, so what it leaves out is the
 * start of the process alone, and what it takes in is at most one look too much.
 */
export async function watchRoad(
  encryptor: EncryptorProcess,
  stack: BenchStack,
  messages: number,
  isGcTraced: boolean,
): Promise<RoadFigures> {
  const stopping = benchEnd()
  const progress: Progress[] = []
  let begin = markUsage(encryptor, stack, null)
  for (;;) {
    stopping.throwIfAborted()
    const atMs = performance.now()
    const page = await encryptor.metrics()
    if ((page?.sum('sealstream_packed_messages_total') ?? 0) === 0) {
      // Keys that were made ahead belong to the messages that they are for.
      begin = { ...markUsage(encryptor, stack, page), deks: 0, kmsCalls: 0 }
      progress.length = 0
    }
    const references = page?.sum('sealstream_published_references_total') ?? 0
    if (references > (progress.at(-1)?.references ?? -1)) {
      progress.push({ seconds: (atMs - begin.atMs) / 1000, references })
    }
    if (page !== null && references >= messages) {
      const usage = usageBetween(begin, markUsage(encryptor, stack, page), messages, stack)
      return {
        ...usage,
        messagesPerSecond: messages / usage.seconds,
        sustainedPerSecond: sustained(progress),
        rssBytesMax: rssBytesMaxOf(encryptor.pid),
        gcMicros: isGcTraced ? (tracedGcSeconds(encryptor.logPath) * 1e6) / messages : null,
        progress,
      }
    }
    const stoodMs = atMs - begin.atMs - (progress.at(-1)?.seconds ?? 0) * 1000
    if (stoodMs > STALLED_MS || (page?.sum('sealstream_stopped_partitions') ?? 0) > 0) {
      throw encryptor.failure(`published ${references} of ${messages} and then stood still`)
    }
    await systemClock.sleep(POLL_MS, stopping)
  }
}

/** The rate between a tenth and nine tenths of all references. */
export function sustained(progress: readonly Progress[]): number {
  const all = progress.at(-1)?.references ?? 0
  const first = progress.find(({ references }) => references >= all * 0.1)
  const last = progress.findLast(({ references }) => references <= all * 0.9)
  if (first === undefined || last === undefined || last.seconds <= first.seconds) {
    return all / (progress.at(-1)?.seconds ?? 1)
  }
  return (last.references - first.references) / (last.seconds - first.seconds)
}

/** `[12:0x3a5c] 812 ms: Scavenge 53.2 (70.1) -> 41.0 (72.3) MB, pooled: 0 MB, 1.52 / 0.00 ms ...` */
const COLLECTION = /^\[\d+:0x[\da-f]+\]\s+\d+ ms: .* MB, .*?([\d.]+) \/ [\d.]+ ms/gm

function tracedGcSeconds(logPath: string): number {
  const log = readFileSync(logPath, 'latin1')
  return [...log.matchAll(COLLECTION)].reduce((sum, [, ms]) => sum + Number(ms) / 1000, 0)
}
