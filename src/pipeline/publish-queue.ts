import { SealError } from '../errors.ts'
import type { LaneServices } from './lane.ts'
import { publicationOf } from './publication.ts'
import type { LanePublisher } from './reference-sink.ts'
import type { SegmentGroup } from './segment-group.ts'
import type { SealedGroup } from './segment-plan.ts'

/** Sealed groups that may share one transaction when publishing lags behind. */
const GROUPS_PER_TRANSACTION_MAX = 16

/** So many segments may always wait: enough to keep every service busy. */
const UNPUBLISHED_SEGMENTS_MIN = 64

/** With more of them waiting, others had better grow than wait behind them. */
const CROWD_SEGMENTS = 8

interface Entry {
  readonly group: SegmentGroup
  readonly sealed: Promise<SealedGroup>
  isSealed: boolean
}

/**
 * Closed groups of one session, in the order in which they were closed. They are sealed side by
 * side and published strictly in line, so that references come in the order of their offsets. The
 * first failure ends the queue: what became of its transaction is unknown.
 */
export class PublishQueue {
  readonly #services: LaneServices
  readonly #publisher: LanePublisher
  readonly #onFailure: (error: unknown) => void
  readonly #entries: Entry[] = []
  #segments = 0
  /** Resolves, and is made anew, whenever segments were published or the queue ended. */
  #moved = Promise.withResolvers<void>()
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

  /** Nothing more is published: it was closed, or has failed. */
  get isOver(): boolean {
    return this.#isClosed || this.#hasFailed
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Resolves when everything that was added is published, or the queue has failed. */
  get settled(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  /** Whether so many segments wait to be published that no others should be opened. */
  get isFull(): boolean {
    const { openSegmentsMax } = this.#services.settings
    return !this.isOver && this.#segments >= Math.max(openSegmentsMax, UNPUBLISHED_SEGMENTS_MIN)
  }

  /** Resolves when the queue is no longer full, or has ended. */
  async room(): Promise<void> {
    while (this.isFull) await this.#moved.promise
  }

  /**
   * Resolves when so few segments wait that closing others for their age makes them visible sooner, or the
   * queue has ended; at the next publication also once `signal` is aborted.
   */
  async calm(signal: AbortSignal): Promise<void> {
    const isCrowded = () => !this.isOver && this.#segments > CROWD_SEGMENTS
    while (isCrowded() && !signal.aborted) await this.#moved.promise
  }

  /** Finishes `group` and publishes it when its turn comes. */
  add(group: SegmentGroup): void {
    this.#segments += group.size
    const entry: Entry = { group, sealed: group.finish(), isSealed: false }
    entry.sealed.then(() => {
      entry.isSealed = true
    }, this.#fail)
    this.#entries.push(entry)
    this.#running ??= this.#run()
  }

  /** Ends the queue and hands back all that is not published. */
  close(): SegmentGroup[] {
    this.#isClosed = true
    this.#move()
    return this.#entries.splice(0).map(({ group }) => group)
  }

  async #run(): Promise<void> {
    try {
      for (let head = this.#entries[0]; head; head = this.#entries[0]) {
        await head.sealed
        if (this.isOver) return
        let count = 1
        while (count < GROUPS_PER_TRANSACTION_MAX && this.#entries[count]?.isSealed) count++
        const ready = this.#entries.slice(0, count).map(({ sealed }) => sealed)
        await this.#publish(await Promise.all(ready))
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#running = null
    }
  }

  async #publish(groups: readonly SealedGroup[]): Promise<void> {
    const { clock, settings, observer, source, patience } = this.#services
    const publication = publicationOf(groups, settings)
    const startedAtMs = clock.elapsedMs()
    if (publication.offsets.length > 0) {
      await patience.with(() => source.confirm(publication.offsets))
      if (this.isOver) return
      // Fencing decides; this only spares whoever slept too long a transaction in another's lane.
      if (!source.isMember()) throw lostMembership()
      await this.#publisher.publish(publication, () => this.#isInTime(groups))
    }
    if (this.#isClosed) return
    // In one go with giving their bytes back: what close hands out is freed by whoever takes it.
    for (const { group } of this.#entries.splice(0, groups.length)) this.#segments -= group.size
    this.#move()
    const nowMs = clock.elapsedMs()
    const messages = groups.reduce((sum, group) => sum + group.messageCount, 0)
    const segments = groups.reduce((sum, group) => sum + group.segments.length, 0)
    const oldestMs = Math.min(...groups.map((group) => group.openedAtMs))
    observer.published(messages, segments, nowMs - startedAtMs, nowMs - oldestMs)
    for (const group of groups) this.#markPublished(group)
  }

  /**
   * Whoever slept must not publish what a sweep may have taken meanwhile. Both clocks are asked: one
   * stands still while the machine is suspended, the other may be set back.
   */
  #isInTime(groups: readonly SealedGroup[]): boolean {
    const { clock, settings } = this.#services
    const ages = groups.flatMap(({ openedAtMs, createdAtMs }) => [
      clock.elapsedMs() - openedAtMs,
      clock.nowMs() - createdAtMs,
    ])
    return Math.max(...ages) < settings.segment.publishWithinMs
  }

  #markPublished({ segments, chargedBytes }: SealedGroup): void {
    const { budget, segments: services, clock } = this.#services
    budget.release(chargedBytes)
    for (const { key, messageCount } of segments) {
      if (messageCount === 0) continue
      // Best effort: the reference topic is the truth, this mark only saves a look at it.
      services.mapping.recordPublished(key, clock.nowMs()).catch(() => {})
    }
  }

  /** Ends the queue with its first failure; whoever hears of it closes it. */
  readonly #fail = (error: unknown): void => {
    if (this.isOver) return
    this.#hasFailed = true
    this.#move()
    this.#onFailure(error)
  }

  #move(): void {
    const moved = this.#moved
    this.#moved = Promise.withResolvers()
    moved.resolve()
  }
}

function lostMembership(): SealError {
  return new SealError(
    'SEAL_FENCED',
    'the group heard nothing for the session timeout and may have given the lane away; nothing was published',
  )
}
