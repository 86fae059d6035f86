import type { Clock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import type { ReferenceLog } from '../../incident/reference-log.ts'
import type { LogBounds } from '../../verify/ports.ts'
import { noReferenceTopic } from './kafka-errors.ts'
import { KafkaRecordLog, type RecordLogOptions } from './kafka-record-log.ts'

/** Whose references are read. */
export interface ReferenceLogOptions extends RecordLogOptions {
  /** Source topics. */
  readonly topics: readonly string[]
  readonly referenceTopicSuffix: string
}

type TakeValues = (values: readonly Uint8Array[]) => void

const UNCERTAIN_MS = Number.POSITIVE_INFINITY
const WHOLE_MS = Number.NEGATIVE_INFINITY
/** How often it is seen whether an open transaction has ended. */
const LOOK_AGAIN_MS = 250

/** {@link ReferenceLog} over the reference topics of Kafka, read one partition after the other. */
export class KafkaReferenceLog implements ReferenceLog {
  readonly topics: readonly string[]
  readonly #options: ReferenceLogOptions
  readonly #clock: Clock

  constructor(options: ReferenceLogOptions, clock: Clock) {
    this.topics = options.topics
    this.#options = options
    this.#clock = clock
  }

  async read(sinceMs: number, onValues: TakeValues, signal: AbortSignal): Promise<number> {
    const log = new KafkaRecordLog(this.#options)
    let completeSinceMs = WHOLE_MS
    try {
      await log.connect()
      for (const source of this.topics) {
        const topic = source + this.#options.referenceTopicSuffix
        const bounds = await log.bounds(topic)
        if (bounds === null) throw noReferenceTopic(topic, this.#options.brokers)
        const since = await log.offsetsSince(topic, sinceMs)
        for (const bound of bounds) {
          const start = Math.max(bound.oldest, since.get(bound.partition) ?? bound.oldest)
          const walk = new PartitionWalk(log, topic, bound, start)
          await this.#follow(walk, onValues, signal)
          completeSinceMs = Math.max(completeSinceMs, walk.completeSinceMs)
        }
      }
      return completeSinceMs
    } finally {
      await log.close()
    }
  }

  /** To the end that the partition had, or until a transaction has been open for too long. */
  async #follow(walk: PartitionWalk, onValues: TakeValues, signal: AbortSignal): Promise<void> {
    let waitsSinceMs: number | null = null
    for (;;) {
      const hasMoved = await walk.goOn(onValues, signal)
      if (walk.isAtEnd) return
      const nowMs = this.#clock.elapsedMs()
      if (hasMoved || waitsSinceMs === null) waitsSinceMs = nowMs
      if (nowMs - waitsSinceMs >= this.#options.openTransactionMsMax) return
      await this.#clock.sleep(LOOK_AGAIN_MS, signal)
    }
  }
}

/** One reading of one partition. */
class PartitionWalk {
  readonly #log: KafkaRecordLog
  readonly #topic: string
  readonly #bounds: LogBounds
  readonly #start: number
  #next: number
  #firstAtMs = UNCERTAIN_MS
  /** Whether retention took away what was still to be read. */
  #isCut = false

  constructor(log: KafkaRecordLog, topic: string, bounds: LogBounds, start: number) {
    this.#log = log
    this.#topic = topic
    this.#bounds = bounds
    this.#start = start
    this.#next = start
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#bounds.end
  }

  get completeSinceMs(): number {
    if (!this.isAtEnd || this.#isCut) return UNCERTAIN_MS
    const { oldest } = this.#bounds
    // The log goes back beyond what was asked for, or to its very beginning.
    return oldest === 0 || this.#start > oldest ? WHOLE_MS : this.#firstAtMs
  }

  /** Reads to the end, or to an open transaction. True when there was anything. */
  async goOn(onValues: TakeValues, signal: AbortSignal): Promise<boolean> {
    const from = this.#next
    const at = { topic: this.#topic, partition: this.#bounds.partition }
    if (this.isAtEnd) return false
    for await (const chunk of this.#log.read(at, from, this.#bounds.end, 'end')) {
      if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the reading was stopped')
      if (chunk.from > this.#next) this.#isCut = true
      const [first] = chunk.records
      if (first !== undefined && this.#firstAtMs === UNCERTAIN_MS) {
        this.#firstAtMs = Number(first.timestampMs)
      }
      onValues(chunk.records.map(({ value }) => value ?? new Uint8Array(0)))
      this.#next = chunk.next
    }
    if (signal.aborted) throw new SealError('SEAL_STOPPED', 'the reading was stopped')
    return this.#next > from
  }
}
