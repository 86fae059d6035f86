import type { Clock } from '../clock.ts'
import { isSealError, messageOf, type SealError } from '../errors.ts'
import type { DekWindows } from '../keys/dek-windows.ts'
import type { DomainOf, DomainRule } from '../keys/key-domain.ts'
import { beating } from './beating.ts'
import type { InFlightBudget } from './in-flight-budget.ts'
import { LaneSession } from './lane-session.ts'
import {
  type BatchControl,
  type FetchedBatch,
  type MessageSource,
  placeOf,
  recreatedError,
  type TopicPartition,
} from './message-source.ts'
import type { PipelineObserver } from './observer.ts'
import type { Patience } from './patience.ts'
import type { OutputTopics } from './publication.ts'
import type { ReferenceSink } from './reference-sink.ts'
import type { SegmentLimits, SegmentServices } from './segment-plan.ts'

/** What lanes are told by the configuration. */
export interface LaneSettings extends OutputTopics {
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
  readonly messageBytesMax: number
  readonly onUnsealable: 'stop' | 'quarantine'
  readonly segment: SegmentLimits & {
    readonly ageMs: number
    /** So old, a segment is not published any more. */
    readonly publishWithinMs: number
  }
  readonly keyDomain: DomainRule
  readonly domainOf: DomainOf
  /** Most segments that a lane has open under domains by header. */
  readonly openSegmentsMax: number
}

/** What all lanes of a process share. */
export interface LaneServices {
  readonly source: MessageSource
  readonly sink: ReferenceSink
  readonly windows: DekWindows
  readonly budget: InFlightBudget
  readonly patience: Patience
  readonly observer: PipelineObserver
  readonly clock: Clock
  /** Aborts when the process stops. */
  readonly stopping: AbortSignal
  readonly segments: SegmentServices
  readonly settings: LaneSettings
}

const REOPEN_AFTER_MS = 500
/** Whoever was fenced gives the group time to say who holds the lane now. */
const REOPEN_AFTER_FENCING_MS = 6_000

/**
 * A lane: a fixed set of source partitions that one writer serves, under one transactional id.
 *
 *   unassigned -> opening -> serving -> (failed -> opening)* -> unassigned
 *
 * Opening fences every earlier writer of the lane and only then reads the committed offsets; the
 * session that serves starts from exactly those. Any failure while publishing leaves the outcome
 * unknown, so the session is abandoned and the lane opens again: fencing settles what happened, the
 * committed offsets say where to go on, and the source seeks there. Failures that no waiting mends
 * (a refused credential, a missing bucket) end the process instead, by `onFatal`.
 */
export class Lane {
  readonly #id: number
  readonly #services: LaneServices
  readonly #onFatal: (error: unknown) => void
  #partitions: readonly TopicPartition[] = []
  #session: Promise<LaneSession | null> = Promise.resolve(null)

  constructor(id: number, services: LaneServices, onFatal: (error: unknown) => void) {
    this.#id = id
    this.#services = services
    this.#onFatal = onFatal
  }

  /** The lane is held with these partitions from now on; none means that it is lost. */
  assign(partitions: readonly TopicPartition[]): void {
    const isSame =
      partitions.length === this.#partitions.length &&
      partitions.every((at, i) => {
        const held = this.#partitions[i]
        return held?.topic === at.topic && held.partition === at.partition
      })
    if (isSame) return
    this.#partitions = partitions
    this.#replaceSession(partitions.length === 0 ? null : () => this.#openSession(partitions))
  }

  /**
   * Hands a batch of one of the lane's partitions to the current session, heart beating, however
   * long opening, budget or key take. A heartbeat that tells of a rebalance rejects at once: the
   * session finishes the batch or drops it by itself, and messages that come in again are known.
   * Resolves to true when all of the batch was dealt with.
   */
  async accept(batch: FetchedBatch, control: BatchControl): Promise<boolean> {
    const work = this.#session.then((session) => session?.accept(batch, control) ?? false)
    // Not when this settles: after a rebalance the session goes on reading.
    const letGo = () => control.letGo()
    work.then(letGo, letGo)
    let isLeft = false
    work.catch((error) => {
      if (isLeft) this.#onFatal(error)
    })
    try {
      return await beating(work, () => control.heartbeat(), this.#services.clock)
    } catch (error) {
      isLeft = true
      throw error
    }
  }

  /** Gives up one of the lane's partitions, which the source cannot go on with. */
  async stopPartition(at: TopicPartition, error: SealError): Promise<void> {
    ;(await this.#session)?.stopPartition(at, error)
  }

  /** Kafka holds nothing at the position of one of the lane's partitions. */
  async outOfRange(at: TopicPartition): Promise<void> {
    try {
      await (await this.#session)?.outOfRange(at)
    } catch (error) {
      if (!isSealError(error, 'SEAL_STOPPED')) this.#onFatal(error)
    }
  }

  /** Closes segments under windows that were ended from outside; they are published as usual. */
  async rollEnded(): Promise<void> {
    ;(await this.#session)?.rollEnded()
  }

  /** Publishes everything that was accepted. Resolves to whether all of it got through. */
  async drain(): Promise<boolean> {
    const session = await this.#session
    return session === null || session.drain()
  }

  /** Gives the lane up; what is unpublished is read again by whoever holds it next. */
  async close(): Promise<void> {
    this.#partitions = []
    const session = this.#session
    this.#session = Promise.resolve(null)
    await (await session)?.abandon()
  }

  #replaceSession(open: (() => Promise<LaneSession | null>) | null): void {
    const before = this.#session
    const next = before.then(async (session) => {
      await session?.abandon()
      return open === null ? null : open()
    })
    this.#session = next.catch((error) => {
      if (!isSealError(error, 'SEAL_STOPPED')) this.#onFatal(error)
      return null
    })
  }

  async #openSession(partitions: readonly TopicPartition[]): Promise<LaneSession | null> {
    const { sink, source, patience } = this.#services
    if (this.#partitions !== partitions) return null
    const publisher = await patience.with(() => sink.openLane(this.#id))
    const startsAt = await patience.with(() => source.startOffsets(partitions))
    for (const at of startsAt) source.seek(at, at.offset)
    this.#stopOthers(partitions, startsAt)
    const session: LaneSession = new LaneSession(this.#services, publisher, startsAt, (error) =>
      this.#onSessionFailure(session, error),
    )
    return session
  }

  /** The alarm for partitions that no session can start: nothing of their new topic is sealed. */
  #stopOthers(partitions: readonly TopicPartition[], startsAt: readonly TopicPartition[]): void {
    const { source, observer } = this.#services
    const starting = new Set(startsAt.map(placeOf))
    for (const at of partitions.filter((one) => !starting.has(placeOf(one)))) {
      source.pause([at])
      observer.partitionStopped(at.topic, at.partition, 0, recreatedError(at.topic))
    }
  }

  #onSessionFailure(failed: LaneSession, error: unknown): void {
    const partitions = this.#partitions
    if (!isSealError(error) || !isPassing(error)) {
      this.#onFatal(error)
      return
    }
    const { observer, clock } = this.#services
    observer.laneReset(this.#id, messageOf(error))
    const pauseMs = error.code === 'SEAL_FENCED' ? REOPEN_AFTER_FENCING_MS : REOPEN_AFTER_MS
    this.#session.then((current) => {
      if (current !== failed) return
      this.#replaceSession(async () => {
        await clock.sleep(pauseMs, this.#services.stopping)
        return this.#openSession(partitions)
      })
    })
  }
}

/** Failures of a transaction that a fresh session may get over; it takes no topic that was created again. */
function isPassing({ retryable, code }: SealError): boolean {
  return retryable || code === 'SEAL_FENCED' || code === 'SEAL_SOURCE_RESTARTED'
}
