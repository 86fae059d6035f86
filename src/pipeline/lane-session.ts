import { randomUUID } from 'node:crypto'
import { SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import type { DekWindow } from '../keys/dek-windows.ts'
import { segmentObjectKey } from '../segment/object-key.ts'
import type { LaneServices } from './lane.ts'
import { nextSlice, REFERENCE_BYTES } from './message-slice.ts'
import {
  type BatchControl,
  type FetchedBatch,
  placeOf,
  type TopicPartition,
} from './message-source.ts'
import { PublishQueue } from './publish-queue.ts'
import type { LanePublisher } from './reference-sink.ts'
import type { SegmentSource } from './segment-plan.ts'
import { SegmentWriter } from './segment-writer.ts'

/** How far one partition was taken over. */
interface Position {
  /** The offset that comes next; everything before it is packed, or passed over. */
  next: number
  isStopped: boolean
  /** Settles when the batch before is dealt with. */
  turn: Promise<void>
}

/**
 * One tenure of a lane: from the fencing of earlier writers to the first failure, the loss of the
 * lane, or the end of the process. All that is unpublished belongs to exactly one session and dies
 * with it; the next session starts from the committed offsets.
 *
 * A session packs batches into the open segment of their key domain, closes segments by size,
 * count, age and window, and publishes them strictly in the order in which they were closed. It is
 * open until `abandon` closes it; calls on a closed session do nothing.
 */
export class LaneSession {
  readonly #services: LaneServices
  readonly #publisher: LanePublisher
  readonly #queue: PublishQueue
  readonly #positions = new Map<string, Position>()
  readonly #open = new Map<string, SegmentWriter>()
  readonly #timers = new AbortController()
  #isClosed = false

  constructor(
    services: LaneServices,
    publisher: LanePublisher,
    startsAt: readonly (TopicPartition & { readonly offset: number })[],
    onFailure: (error: unknown) => void,
  ) {
    this.#services = services
    this.#publisher = publisher
    this.#queue = new PublishQueue(services, publisher, onFailure)
    for (const at of startsAt) {
      const turn = Promise.resolve()
      this.#positions.set(placeOf(at), { next: at.offset, isStopped: false, turn })
    }
  }

  /**
   * Takes a batch over: resolves when its messages are packed, to true when all of it was dealt with.
   * Batches of one partition wait for each other: after a rebalance the same messages may come in
   * again while the first batch still waits for the budget, and are passed over then.
   */
  accept(batch: FetchedBatch, control: BatchControl): Promise<boolean> {
    const position = this.#positions.get(placeOf(batch))
    if (position === undefined) return Promise.resolve(false)
    const work = position.turn.then(() => this.#take(batch, position, control))
    position.turn = work.then(
      () => {},
      () => {},
    )
    return work
  }

  /** Closes every open segment and resolves when all of them are published. */
  async drain(): Promise<void> {
    this.#rollAll()
    await this.#queue.settled
  }

  /** Ends the session; what is not published is given up. Frees all that it holds. */
  async abandon(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timers.abort()
    const writers = [...this.#open.values(), ...this.#queue.close()]
    this.#open.clear()
    await Promise.all([...writers.map((writer) => this.#giveUp(writer)), this.#publisher.close()])
  }

  /** The bytes stay charged until the workers are done with them. */
  async #giveUp(writer: SegmentWriter): Promise<void> {
    await writer.abandon()
    this.#services.budget.release(writer.chargedBytes)
  }

  async #take(batch: FetchedBatch, position: Position, control: BatchControl): Promise<boolean> {
    if (this.#isClosed || position.isStopped) return false
    if (batch.fetchedOffset > position.next && !(await this.#gapIsHarmless(batch, position))) {
      return false
    }
    const messages = batch.messages.filter((message) => message.offset >= position.next)
    for (let from = 0; from < messages.length; ) {
      const slice = nextSlice(messages, from, this.#services.settings.messageBytesMax)
      if (!(await this.#admit(slice.chargedBytes, control))) return false
      if (!(await this.#pack(batch, position, messages, from, slice.frameBytes))) return false
      this.#services.observer.packed(batch.topic, slice.frameBytes.length, slice.parcelBytes)
      from += slice.frameBytes.length
      if (slice.refused === null) continue
      const refused = messages[from] as Message
      if (!(await this.#setAside(refused, position, slice.refused))) return false
      from++
    }
    this.#done(batch, position)
    this.#services.windows.prepare(batch.topic)
    return true
  }

  /**
   * Whether a fetch that begins behind the expected offset has skipped nothing: transaction markers
   * take up offsets too. It has when Kafka no longer holds the expected offset; the partition stops.
   */
  async #gapIsHarmless(batch: FetchedBatch, position: Position): Promise<boolean> {
    const oldest = await this.#services.patience.with(() =>
      this.#services.source.logStartOffset(batch),
    )
    if (oldest <= position.next) return !this.#isClosed
    const { topic, partition } = batch
    const error = new SealError(
      'SEAL_SOURCE_GAP',
      `${topic}/${partition}: messages from offset ${position.next} to ${oldest - 1} were deleted by Kafka before they were sealed; to go on behind them, set the offset of the consumer group by hand`,
    )
    this.#stop(batch, position, position.next, error)
    return false
  }

  /** Waits for the budget. False when the session or the batch is void by then. */
  async #admit(bytes: number, control: BatchControl): Promise<boolean> {
    const { budget } = this.#services
    const admitted = budget.take(bytes)
    if (admitted !== null) {
      // With nothing under way that would free bytes, only the open segments can.
      if (this.#queue.isEmpty) this.#rollAll()
      await admitted
    }
    if (!this.#isClosed && !control.isStale()) return true
    budget.release(bytes)
    return false
  }

  /**
   * Packs a slice that was admitted, starting at `messages[from]`. Runs without a pause as long as
   * the open segment has room. False when the session was closed meanwhile.
   */
  async #pack(
    batch: FetchedBatch,
    position: Position,
    messages: readonly Message[],
    from: number,
    frameBytes: readonly number[],
  ): Promise<boolean> {
    const { clock, budget } = this.#services
    let nowMs = clock.elapsedMs()
    let segment: SegmentWriter | null = null
    let source: SegmentSource | null = null
    let unpackedBytes = frameBytes.reduce((sum, bytes) => sum + bytes + REFERENCE_BYTES, 0)
    try {
      for (let i = 0; i < frameBytes.length; i++) {
        const bytes = frameBytes[i] as number
        const message = messages[from + i] as Message
        // Asked again after every wait: meanwhile others may have closed the segment, or used up
        // the window that it shares with other lanes.
        while (segment === null || source === null || !segment.hasRoom(bytes, nowMs)) {
          segment = await this.#segmentFor(batch, bytes)
          if (segment === null) return false
          nowMs = clock.elapsedMs()
          source = segment.hasRoom(bytes, nowMs) ? segment.source(batch, position.next) : null
        }
        segment.add(message, source, bytes, bytes + REFERENCE_BYTES)
        position.next = message.offset + 1
        unpackedBytes -= bytes + REFERENCE_BYTES
      }
      return true
    } finally {
      if (unpackedBytes > 0) budget.release(unpackedBytes)
    }
  }

  /** The open segment with room for a frame, or a new one; null once the session is closed. */
  async #segmentFor(at: TopicPartition, frameBytes: number): Promise<SegmentWriter | null> {
    const { windows, clock } = this.#services
    const keyDomain = at.topic
    for (;;) {
      const open = this.#open.get(keyDomain)
      if (open?.canHold(at) && open.hasRoom(frameBytes, clock.elapsedMs())) return open
      if (open !== undefined) this.#roll(keyDomain)
      const window = await windows.take(keyDomain, frameBytes)
      if (this.#isClosed) return null
      // Another partition of the lane may have opened one while this one waited for its key.
      if (!this.#open.has(keyDomain)) return this.#openSegment(keyDomain, window)
    }
  }

  #openSegment(keyDomain: string, window: DekWindow): SegmentWriter {
    const { clock, settings, segments } = this.#services
    const segmentId = randomUUID()
    const createdAtMs = clock.nowMs()
    const plan = {
      segmentId,
      objectKey: segmentObjectKey(settings, keyDomain, segmentId, createdAtMs),
      clusterId: this.#services.source.clusterId,
      createdAtMs,
      token: randomUUID(),
      window,
      limits: settings.segment,
    }
    const segment = new SegmentWriter(plan, segments)
    this.#open.set(keyDomain, segment)
    const lifeMs = Math.min(settings.segment.ageMs, window.endsAtMs - clock.elapsedMs())
    clock.sleep(Math.max(lifeMs, 0), this.#timers.signal).then(() => {
      if (this.#open.get(keyDomain) === segment) this.#roll(keyDomain)
    })
    return segment
  }

  /** Applies the policy for a message that cannot be sealed. False when the partition stops. */
  async #setAside(message: Message, position: Position, error: SealError): Promise<boolean> {
    const { settings, observer } = this.#services
    const { topic, partition, offset } = message
    if (settings.onUnsealable === 'stop') {
      this.#stop(message, position, offset, error)
      return false
    }
    let segment = await this.#segmentFor(message, 0)
    while (segment?.isFinished) segment = await this.#segmentFor(message, 0)
    if (segment === null) return false
    segment.quarantine(message, segment.source(message, position.next), error)
    position.next = offset + 1
    observer.quarantined(topic, partition, offset, error)
    return true
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
    const segment = this.#open.get(batch.topic)
    if (segment?.canHold(batch)) segment.source(batch, batch.nextOffset)
  }

  #rollAll(): void {
    for (const keyDomain of [...this.#open.keys()]) this.#roll(keyDomain)
  }

  /** Closes the open segment of a domain and puts it in line for publishing. */
  #roll(keyDomain: string): void {
    const segment = this.#open.get(keyDomain)
    if (segment === undefined || this.#isClosed) return
    this.#open.delete(keyDomain)
    this.#queue.add(segment)
  }
}
