import { SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import type { LaneServices } from './lane.ts'
import { nextSlice } from './message-slice.ts'
import {
  type BatchControl,
  type FetchedBatch,
  placeOf,
  recreatedError,
  type StartOffset,
  type TopicPartition,
} from './message-source.ts'
import { OpenGroups, type PackingPosition } from './open-groups.ts'
import { PublishQueue } from './publish-queue.ts'
import type { LanePublisher } from './reference-sink.ts'
import type { SegmentGroup } from './segment-group.ts'

/** How far one partition was taken over. */
interface Position extends PackingPosition {
  /** The offset that was committed when the session began. */
  readonly committed: number
  isStopped: boolean
  /** Settles when the batch before is dealt with. */
  turn: Promise<void>
}

/**
 * One tenure of a lane: from the fencing of earlier writers to the first failure, the loss of the
 * lane, or the end of the process. All that is unpublished belongs to exactly one session and dies
 * with it; the next session starts from the committed offsets.
 *
 * A session packs batches into open groups of segments (open-groups.ts) and publishes these strictly
 * in the order in which they were closed. It is open until `abandon` closes it; calls on a closed
 * session do nothing.
 */
export class LaneSession {
  readonly #services: LaneServices
  readonly #publisher: LanePublisher
  readonly #queue: PublishQueue
  readonly #onFailure: (error: unknown) => void
  readonly #positions = new Map<string, Position>()
  readonly #open: OpenGroups
  /** Batches that wait for the budget. */
  #waiting = 0
  #makingWay: Promise<void> | null = null
  #isClosed = false

  constructor(
    services: LaneServices,
    publisher: LanePublisher,
    startsAt: readonly StartOffset[],
    onFailure: (error: unknown) => void,
  ) {
    this.#services = services
    this.#publisher = publisher
    this.#onFailure = onFailure
    this.#queue = new PublishQueue(services, publisher, onFailure)
    this.#open = new OpenGroups(services, this.#queue)
    for (const at of startsAt) {
      const turn = Promise.resolve()
      const { offset } = at
      const position = { next: offset, committed: offset, isStopped: false, turn }
      this.#positions.set(placeOf(at), position)
    }
  }

  /**
   * Takes a batch over: resolves when its messages are packed, to true when all of it was dealt with.
   * Batches of one partition wait for each other: after a rebalance the same messages may come in
   * again while the first batch still waits for the budget, and are passed over then.
   */
  accept(batch: FetchedBatch, control: BatchControl): Promise<boolean> {
    const position = this.#positions.get(placeOf(batch))
    if (position === undefined || position.isStopped) {
      // A source that begins anew has forgotten the pause, and would fetch the batch again and again.
      if (!this.#isClosed) this.#services.source.pause([batch])
      return Promise.resolve(false)
    }
    const work = position.turn.then(() => this.#take(batch, position, control))
    position.turn = work.then(
      () => {},
      () => {},
    )
    return work
  }

  /**
   * Publishes everything that was taken over, batches that wait for budget or key included. Resolves
   * to whether all of it got through; the rest belongs to whoever reads it again.
   */
  async drain(): Promise<boolean> {
    this.#open.rollAll()
    await Promise.all([...this.#positions.values()].map(({ turn }) => turn))
    this.#open.rollAll()
    await this.#queue.settled
    return !this.#isClosed && this.#queue.isEmpty
  }

  /** Closes what is open under windows that were ended from outside. */
  rollEnded(): void {
    this.#open.rollEnded()
  }

  /** Takes nothing more of a partition, which the source cannot go on with. */
  stopPartition(at: TopicPartition, error: SealError): void {
    const position = this.#positions.get(placeOf(at))
    if (this.#isClosed || position === undefined || position.isStopped) return
    this.#stop(at, position, position.next, error)
  }

  /** Finds out why Kafka holds nothing at the position of a partition; it stops, or is fetched again. */
  async outOfRange(at: TopicPartition): Promise<void> {
    const position = this.#positions.get(placeOf(at))
    if (position === undefined) return
    const error = await this.#lossAt(at, position)
    if (this.#isClosed || position.isStopped) return
    if (error === null) this.#services.source.seek(at, position.next)
    else this.#giveUpAt(at, position, error)
  }

  /** Ends the session; what is not published is given up. Frees all that it holds. */
  async abandon(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const groups = [...this.#open.close(), ...this.#queue.close()]
    await Promise.all([...groups.map((group) => this.#giveUp(group)), this.#publisher.close()])
  }

  /** The bytes stay charged until the workers are done with them. */
  async #giveUp(group: SegmentGroup): Promise<void> {
    await group.abandon()
    this.#services.budget.release(group.chargedBytes)
  }

  async #take(batch: FetchedBatch, position: Position, control: BatchControl): Promise<boolean> {
    if (this.#isClosed || position.isStopped) return false
    // Ahead of the position messages may be gone; behind it the source began anew with what is committed.
    if (batch.fetchedOffset !== position.next) {
      const error = await this.#lossAt(batch, position)
      if (this.#isClosed || position.isStopped || control.isStale()) return false
      if (error !== null) {
        this.#giveUpAt(batch, position, error)
        return false
      }
    }
    const messages = messagesFrom(batch.messages, position.next)
    const { windows, observer, settings } = this.#services
    for (let slice = nextSlice(messages, settings); slice; slice = nextSlice(messages, settings)) {
      if (!(await this.#admit(slice.chargedBytes, control))) return false
      const keyDomains = new Set(slice.domains)
      for (const keyDomain of keyDomains) windows.begin(keyDomain)
      if (!(await this.#open.pack({ batch, slice }, position))) return false
      if (this.#waiting > 0) this.#startMakingWay()
      for (const keyDomain of keyDomains) windows.prepare(keyDomain)
      observer.packed(batch.topic, slice.messages.length, slice.parcelBytes)
      if (slice.refused === null) continue
      const { message, error } = slice.refused
      if (!this.#setAside(message, position, error)) return false
    }
    this.#done(batch, position)
    return true
  }

  /**
   * What became of the position of a partition, where a fetch began elsewhere or found nothing; null
   * when all is well: Kafka holds it, and the group has committed what it had.
   */
  async #lossAt(at: TopicPartition, { next, committed }: Position): Promise<SealError | null> {
    const { source, patience } = this.#services
    const place = `${at.topic}/${at.partition}`
    const { oldest, end } = await patience.with(() => source.logBounds(at))
    const [start] = await patience.with(() => source.startOffsets([at]))
    if (start === undefined) return recreatedError(at.topic)
    const { offset, isCommitted } = start
    if (isCommitted && offset > next) return overtaken(place, offset)
    if (end < next) return restarted(place, `it ends at offset ${end}, but was read up to ${next}`)
    if (oldest > next) {
      return new SealError(
        'SEAL_SOURCE_GAP',
        `${place}: messages from offset ${next} to ${oldest - 1} were deleted by Kafka before they were sealed; to go on behind them, set the offset of the consumer group by hand`,
      )
    }
    if (offset >= committed) return null
    return restarted(place, `its committed offset went back from ${committed} to ${offset}`)
  }

  /** Waits for the budget. False when the session or the batch is void by then. */
  async #admit(bytes: number, control: BatchControl): Promise<boolean> {
    const { budget } = this.#services
    const admitted = budget.take(bytes)
    if (admitted !== null) {
      this.#waiting++
      this.#startMakingWay()
      await admitted
      this.#waiting--
    }
    if (!this.#isClosed && !control.isStale()) return true
    budget.release(bytes)
    return false
  }

  /**
   * While batches wait for the budget: with nothing under way that would free bytes, only the open
   * segments can. Ends when none waits, or when this lane has nothing left to give.
   */
  async #makeWay(): Promise<void> {
    while (this.#waiting > 0 && !this.#queue.isOver) {
      if (this.#queue.isEmpty && !this.#open.isStoring) {
        this.#open.rollAll()
        if (this.#queue.isEmpty) return
      }
      await Promise.all([this.#queue.settled, this.#open.stored()])
    }
  }

  #startMakingWay(): void {
    this.#makingWay ??= this.#makeWay().finally(() => {
      this.#makingWay = null
    })
  }

  /** Applies the policy for a message that cannot be sealed. False when the partition stops. */
  #setAside(message: Message, position: Position, error: SealError): boolean {
    if (this.#isClosed) return false
    const { settings, observer } = this.#services
    const { topic, partition, offset } = message
    if (settings.onUnsealable === 'stop') {
      this.#stop(message, position, offset, error)
      return false
    }
    this.#open.quarantine(message, error)
    position.next = offset + 1
    observer.quarantined(topic, partition, offset, error)
    return true
  }

  /** Another writer has the lane, so all of it begins anew; anything else concerns one partition. */
  #giveUpAt(at: TopicPartition, position: Position, error: SealError): void {
    if (error.code === 'SEAL_FENCED') this.#onFailure(error)
    else this.#stop(at, position, position.next, error)
  }

  #stop(at: TopicPartition, position: Position, offset: number, error: SealError): void {
    position.isStopped = true
    this.#services.source.pause([at])
    this.#services.observer.partitionStopped(at.topic, at.partition, offset, error)
  }

  /** Moves on behind the batch. One that was fetched again lies behind already and moves nothing. */
  #done(batch: FetchedBatch, position: Position): void {
    if (batch.nextOffset <= position.next) return
    position.next = batch.nextOffset
    this.#open.done(batch, batch.nextOffset)
  }
}

/** Those before `next` came in a second time. */
function* messagesFrom(messages: Iterable<Message>, next: number): Generator<Message> {
  for (const message of messages) if (message.offset >= next) yield message
}

/** This process slept while another one served the lane, and perhaps Kafka deleted what that one sealed. */
function overtaken(place: string, offset: number): SealError {
  return new SealError(
    'SEAL_FENCED',
    `${place}: offset ${offset} is committed by another writer of the lane`,
  )
}

/** Sealed again, other messages would get the coordinates of those that references name. */
function restarted(place: string, what: string): SealError {
  return new SealError(
    'SEAL_SOURCE_RESTARTED',
    `${place}: ${what}; the topic was created again, or lost messages. Give it another name, or set the offset of the consumer group by hand to where sealing may go on`,
  )
}
