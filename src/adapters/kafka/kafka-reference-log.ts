import type { Clock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import type { ReferenceLog } from '../../incident/reference-log.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import type { KafkaOptions } from './kafka-client.ts'
import { feedReferences } from './kafka-reference-feed.ts'

/** Whose references are read. */
export interface ReferenceLogOptions extends KafkaOptions {
  /** Source topics. */
  readonly topics: readonly string[]
  readonly referenceTopicSuffix: string
  /** So long without a step forward means that something hides the end of the log. */
  readonly stallMs: number
}

/** Where the reading of one partition begins. */
interface Start {
  readonly low: number
  readonly offset: number
}

/** {@link ReferenceLog} over the reference topics of Kafka, read one after the other. */
export class KafkaReferenceLog implements ReferenceLog {
  readonly topics: readonly string[]
  readonly #options: ReferenceLogOptions
  readonly #clock: Clock

  constructor(options: ReferenceLogOptions, clock: Clock) {
    this.topics = options.topics
    this.#options = options
    this.#clock = clock
  }

  async read(
    sinceMs: number,
    onValues: (values: readonly Uint8Array[]) => void,
    signal: AbortSignal,
  ): Promise<number> {
    let completeSinceMs = Number.NEGATIVE_INFINITY
    for (const topic of this.topics) {
      const name = topic + this.#options.referenceTopicSuffix
      completeSinceMs = Math.max(completeSinceMs, await this.#read(name, sinceMs, onValues, signal))
      if (signal.aborted) throw new SealError('SEAL_STOPPED', `the reading of ${name} was stopped`)
    }
    return completeSinceMs
  }

  async #read(
    topic: string,
    sinceMs: number,
    onValues: (values: readonly Uint8Array[]) => void,
    signal: AbortSignal,
  ): Promise<number> {
    const starts = await this.#starts(topic, sinceMs)
    const firstAtMs = new Map<number, number>()
    const watch = new StallWatch(this.#options.stallMs, this.#clock)
    const from = new Map([...starts].map(([partition, { offset }]) => [partition, offset]))
    try {
      await feedReferences(
        {
          ...this.#options,
          ...{ topic, from, follow: false, untilSettled: true },
          signal: AbortSignal.any([signal, watch.stalled]),
        },
        async (values, partition, timestampMs) => {
          watch.moved()
          if (!firstAtMs.has(partition)) firstAtMs.set(partition, timestampMs)
          onValues(values)
        },
      )
    } finally {
      watch.end()
    }
    if (watch.stalled.aborted) return Number.POSITIVE_INFINITY
    return completeSince(starts, firstAtMs, await this.#lows(topic))
  }

  /** One offset early where there is one: a partition of which nothing is read tells nothing. */
  async #starts(topic: string, sinceMs: number): Promise<ReadonlyMap<number, Start>> {
    return this.#ask(async (admin) => {
      const [bounds, since] = [await admin.bounds(topic), await admin.offsetsSince(topic, sinceMs)]
      return new Map(
        [...bounds].map(([partition, { low, high }]) => {
          const offset = Math.max(low, (since.get(partition) ?? high) - 1)
          return [partition, { low, offset }]
        }),
      )
    })
  }

  #lows(topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#ask(async (admin) => {
      const bounds = await admin.bounds(topic)
      return new Map([...bounds].map(([partition, { low }]) => [partition, low]))
    })
  }

  async #ask<T>(work: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
    const admin = new KafkaAdmin(this.#options)
    try {
      await admin.connect()
      return await work(admin)
    } finally {
      await admin.close()
    }
  }
}

/** The time since which every partition was read whole. */
function completeSince(
  starts: ReadonlyMap<number, Start>,
  firstAtMs: ReadonlyMap<number, number>,
  lowsAfter: ReadonlyMap<number, number>,
): number {
  let sinceMs = Number.NEGATIVE_INFINITY
  for (const [partition, { low, offset }] of starts) {
    const isCutMeanwhile = (lowsAfter.get(partition) ?? 0) > offset
    if (isCutMeanwhile) return Number.POSITIVE_INFINITY
    // The log goes back beyond the asked time, or to its very beginning.
    if (low === 0 || offset > low) continue
    sinceMs = Math.max(sinceMs, firstAtMs.get(partition) ?? Number.POSITIVE_INFINITY)
  }
  return sinceMs
}

/** Aborts when nothing has moved for too long. */
class StallWatch {
  readonly #controller = new AbortController()
  readonly #ended = new AbortController()
  readonly #clock: Clock
  #movedAtMs: number

  constructor(stallMs: number, clock: Clock) {
    this.#clock = clock
    this.#movedAtMs = clock.elapsedMs()
    void this.#watch(stallMs)
  }

  get stalled(): AbortSignal {
    return this.#controller.signal
  }

  moved(): void {
    this.#movedAtMs = this.#clock.elapsedMs()
  }

  end(): void {
    this.#ended.abort()
  }

  async #watch(stallMs: number): Promise<void> {
    for (;;) {
      const leftMs = this.#movedAtMs + stallMs - this.#clock.elapsedMs()
      if (leftMs <= 0) return this.#controller.abort()
      await this.#clock.sleep(leftMs, this.#ended.signal)
      if (this.#ended.signal.aborted) return
    }
  }
}
