import type { Kafka, KafkaMessage } from 'kafkajs'
import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { systemClock } from '../../src/clock.ts'
import { createReader, parseReference, type Reference, type SealedReader } from '../../src/index.ts'
import { DemoError } from './demo-error.ts'
import { isFaultless, type Ledger, type LedgerVerdict } from './ledger.ts'
import type { Progress } from './screen.ts'

const SLICE_REFERENCES_MAX = 2_000
const SLICE_BYTES_MAX = 8 * 1024 * 1024
const POLL_MS = 100
const FETCH_WAIT_MS = 100
const SILENCE_MS = 1_000
const STALLED_MS = 30_000

/** What reading everything back found. */
export interface ReadBackFigures extends LedgerVerdict {
  readonly seconds: number
  readonly messagesPerSecond: number
}

/** The references that were read: how many of them name each object. */
export type ReferencesByObject = ReadonlyMap<string, number>

/**
 * Reads every committed reference of some topics, opens it and ticks the message off in the ledger.
 * Ends when everything came back and the topics have been silent for a second, so that a doubled
 * message would still be seen; throws a DemoError unless every message came back once, unchanged.
 */
export async function readBack(
  kafka: Kafka,
  endpoints: StackEndpoints,
  referenceTopics: readonly string[],
  ledger: Ledger,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ figures: ReadBackFigures; references: ReferencesByObject }> {
  const { s3, kms } = endpoints
  const { keyId, ...kmsAccess } = kms
  const reader = createReader({ s3, kms: { ...kmsAccess, allowedKeyIds: [keyId] } })
  const sink = new ReferenceSink(reader, ledger, progress)
  const beganMs = systemClock.elapsedMs()
  const consumer = kafka.consumer({
    groupId: 'demo-read-back',
    readUncommitted: false,
    // A consumer leaves only when its last fetch has ended.
    maxWaitTimeInMs: FETCH_WAIT_MS,
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...referenceTopics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch, heartbeat }) => sink.take(batch.messages, heartbeat),
    })
    await sink.finished(signal)
  } finally {
    await consumer.disconnect()
    await reader.close()
  }
  const seconds = (sink.lastMs - beganMs) / 1000
  const verdict = ledger.verdict()
  if (!isFaultless(verdict)) throw new DemoError(faultOf(verdict))
  const figures = { ...verdict, seconds, messagesPerSecond: verdict.seen / seconds }
  return { figures, references: sink.byObject }
}

/** Opens references as they come and notes what they lead to. */
class ReferenceSink {
  readonly byObject = new Map<string, number>()
  lastMs = systemClock.elapsedMs()
  readonly #reader: SealedReader
  readonly #ledger: Ledger
  readonly #progress: Progress
  #opened = 0
  #failure: unknown = null

  constructor(reader: SealedReader, ledger: Ledger, progress: Progress) {
    this.#reader = reader
    this.#ledger = ledger
    this.#progress = progress
  }

  /** Never rejects: kafkajs would try again for ever. {@link finished} throws in its place. */
  async take(records: readonly KafkaMessage[], heartbeat: () => Promise<void>): Promise<void> {
    try {
      if (this.#failure !== null) return
      for (const slice of slicesOf(records)) {
        for (const message of await this.#reader.openReferences(slice)) this.#ledger.check(message)
        for (const { object } of slice) {
          this.byObject.set(object, (this.byObject.get(object) ?? 0) + 1)
        }
        this.#opened += slice.length
        this.lastMs = systemClock.elapsedMs()
        this.#progress.update(this.#opened)
        await heartbeat()
      }
    } catch (error) {
      this.#failure = error
    }
  }

  async finished(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#failure !== null) throw this.#failure
      const silentMs = systemClock.elapsedMs() - this.lastMs
      if (silentMs > (this.#ledger.isComplete ? SILENCE_MS : STALLED_MS)) return
      await systemClock.sleep(POLL_MS, signal)
    }
  }
}

function* slicesOf(records: readonly KafkaMessage[]): Iterable<Reference[]> {
  let slice: Reference[] = []
  let bytes = 0
  for (const { value } of records) {
    const reference = parseReference(value ?? '')
    slice.push(reference)
    bytes += reference.length
    if (slice.length < SLICE_REFERENCES_MAX && bytes < SLICE_BYTES_MAX) continue
    yield slice
    slice = []
    bytes = 0
  }
  if (slice.length > 0) yield slice
}

/** One line that names the places of what went wrong. */
export function faultOf({ expected, seen, missing, doubled, unequal }: LedgerVerdict): string {
  const parts = [
    ['not read back', missing],
    ['read back more than once', doubled],
    ['not what was produced', unequal],
  ] as const
  const faults = parts
    .filter(([, places]) => places.length > 0)
    .map(([what, places]) => `${what}: ${places.join(', ')}`)
  return `${seen} of ${expected} messages came back; ${faults.join('; ')}`
}
