import type { LaneServices } from './lane.ts'
import { publicationOf } from './publication.ts'
import type { LanePublisher } from './reference-sink.ts'
import type { SealedSegment } from './segment-plan.ts'
import type { SegmentWriter } from './segment-writer.ts'

/** Sealed segments that may share one transaction when publishing lags behind. */
const SEGMENTS_PER_TRANSACTION_MAX = 16

interface Entry {
  readonly writer: SegmentWriter
  readonly sealed: Promise<SealedSegment>
  isSealed: boolean
}

/**
 * Closed segments of one session, in the order in which they were closed. They are sealed side by
 * side and published strictly in line, so that references come in the order of their offsets. The
 * first failure ends the queue: what became of its transaction is unknown.
 */
export class PublishQueue {
  readonly #services: LaneServices
  readonly #publisher: LanePublisher
  readonly #onFailure: (error: unknown) => void
  readonly #entries: Entry[] = []
  #running: Promise<void> | null = null
  #isClosed = false
  #hasFailed = false

  constructor(
    services: LaneServices,
    publisher: LanePublisher,
    onFailure: (error: unknown) => void,
  ) {
    this.#services = services
    this.#publisher = publisher
    this.#onFailure = onFailure
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Resolves when everything that was added is published, or the queue has failed. */
  get settled(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  /** Finishes `writer` and publishes it when its turn comes. */
  add(writer: SegmentWriter): void {
    const entry: Entry = { writer, sealed: writer.finish(), isSealed: false }
    entry.sealed.then(() => {
      entry.isSealed = true
    }, this.#fail)
    this.#entries.push(entry)
    this.#running ??= this.#run()
  }

  /** Ends the queue and hands back the writers of all that is not published. */
  close(): SegmentWriter[] {
    this.#isClosed = true
    return this.#entries.splice(0).map(({ writer }) => writer)
  }

  async #run(): Promise<void> {
    try {
      for (let head = this.#entries[0]; head; head = this.#entries[0]) {
        await head.sealed
        if (this.#isOver) return
        let count = 1
        while (count < SEGMENTS_PER_TRANSACTION_MAX && this.#entries[count]?.isSealed) count++
        const ready = this.#entries.slice(0, count).map(({ sealed }) => sealed)
        await this.#publish(await Promise.all(ready))
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#running = null
    }
  }

  async #publish(segments: readonly SealedSegment[]): Promise<void> {
    const { clock, settings, observer } = this.#services
    const publication = publicationOf(segments, settings)
    const startedAtMs = clock.elapsedMs()
    if (publication.offsets.length > 0) await this.#publisher.publish(publication)
    if (this.#isClosed) return
    // In one go with giving their bytes back: what close hands out is freed by whoever takes it.
    this.#entries.splice(0, segments.length)
    const nowMs = clock.elapsedMs()
    const messages = segments.reduce((sum, segment) => sum + segment.messageCount, 0)
    const oldestMs = Math.min(...segments.map((segment) => segment.openedAtMs))
    observer.published(messages, segments.length, nowMs - startedAtMs, nowMs - oldestMs)
    for (const segment of segments) this.#markPublished(segment)
  }

  #markPublished({ key, chargedBytes, messageCount }: SealedSegment): void {
    const { budget, segments, clock } = this.#services
    budget.release(chargedBytes)
    if (messageCount === 0) return
    // Best effort: the reference topic is the truth, this mark only saves a look at it.
    segments.mapping.recordPublished(key, clock.nowMs()).catch(() => {})
  }

  /** Ends the queue with its first failure; whoever hears of it closes it. */
  readonly #fail = (error: unknown): void => {
    if (this.#isOver) return
    this.#hasFailed = true
    this.#onFailure(error)
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#hasFailed
  }
}
