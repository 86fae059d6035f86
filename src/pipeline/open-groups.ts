import { randomUUID } from 'node:crypto'
import type { SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import type { DekWindow } from '../keys/dek-window.ts'
import { segmentObjectKey } from '../segment/object-key.ts'
import type { LaneServices } from './lane.ts'
import { type MessageSlice, REFERENCE_BYTES } from './message-slice.ts'
import type { FetchedBatch, TopicPartition } from './message-source.ts'
import type { PublishQueue } from './publish-queue.ts'
import { type GroupMember, type GroupProgress, SegmentGroup } from './segment-group.ts'
import type { PackedSource } from './segment-plan.ts'
import { SegmentWriter } from './segment-writer.ts'

/** How far one partition was taken over; the packing moves it on message by message. */
export interface PackingPosition {
  /** The offset that comes next; everything before it is packed, or passed over. */
  next: number
}

/** One slice of a batch that was admitted to the budget. */
export interface PackingWork {
  readonly batch: FetchedBatch
  readonly slice: MessageSlice
}

/** Where a message is packed. */
interface PackingPlace {
  readonly keyDomain: string
  readonly group: SegmentGroup
  readonly member: GroupMember
  readonly source: PackedSource
  readonly progress: GroupProgress
}

/** So many times `segment.ageMs` a group may stay open behind a crowd of segments, and no more. */
const CROWDED_AGES_MAX = 10

/** Under domains by header, messages of all topics share one group. */
const ONE_FOR_ALL = ''

/**
 * The open groups of one lane session: packs messages into the open segment of their key domain, and
 * closes groups by size, count, age, window and the number of domains. A closed group goes to the
 * queue, in the order of closing.
 *
 * Groups are not closed for their age while many segments wait to be published, up to ten times that age, and
 * nothing is opened while the queue is full: when many domains make many segments, which cost what their number
 * is, each takes in what comes meanwhile instead of waiting, sealed, behind others.
 */
export class OpenGroups {
  readonly #services: LaneServices
  readonly #queue: Pick<PublishQueue, 'add' | 'calm' | 'room'>
  readonly #groups = new Map<string, SegmentGroup>()
  #isClosed = false

  constructor(services: LaneServices, queue: Pick<PublishQueue, 'add' | 'calm' | 'room'>) {
    this.#services = services
    this.#queue = queue
  }

  /**
   * Packs a slice. Runs without a pause as long as the open segments have room. False when the
   * session was closed meanwhile; what was not packed is given back to the budget.
   */
  async pack(work: PackingWork, position: PackingPosition): Promise<boolean> {
    const { batch, slice } = work
    const { clock, budget } = this.#services
    let nowMs = clock.elapsedMs()
    let place: PackingPlace | null = null
    let unpackedBytes = slice.chargedBytes
    try {
      for (const [i, message] of slice.messages.entries()) {
        const bytes = slice.frameBytes[i] as number
        const keyDomain = slice.domains[i] as string
        if (place?.keyDomain !== keyDomain) place = this.#find(batch, keyDomain, bytes, nowMs)
        while (place === null || !place.member.writer.hasRoom(bytes, nowMs)) {
          const window = await this.#windowFor(batch, keyDomain, bytes)
          if (this.#isClosed) return false
          nowMs = clock.elapsedMs()
          // From here to the packing nothing is waited for: so whatever is opened is used, and
          // partitions whose domains displace each other all come on.
          place = this.#openFor(batch, keyDomain, bytes, window)
        }
        const { group, member, source, progress } = place
        member.writer.add(message, source, bytes, bytes + REFERENCE_BYTES)
        position.next = message.offset + 1
        group.packed(member, progress, position.next)
        unpackedBytes -= bytes + REFERENCE_BYTES
      }
      return true
    } finally {
      if (unpackedBytes > 0) budget.release(unpackedBytes)
    }
  }

  /** Sets a message aside; it takes part in the order of its partition like any other. */
  quarantine(message: Message, error: SealError): void {
    const group = this.#group(message)
    group.quarantine(message, error)
    group.progress(message).nextOffset = message.offset + 1
  }

  /** The partition is done up to `nextOffset`, once what is open now is published. */
  done(at: TopicPartition, nextOffset: number): void {
    const group = this.#groups.get(this.#keyOf(at))
    if (group !== undefined) group.progress(at).nextOffset = nextOffset
  }

  /** Whether parts of open segments are under way to the store. */
  get isStoring(): boolean {
    return [...this.#groups.values()].some((group) => group.isStoring)
  }

  /** Resolves when the parts are stored, or have failed, that are under way now. */
  async stored(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.stored()))
  }

  /** Closes every group. */
  rollAll(): void {
    for (const key of [...this.#groups.keys()]) this.#roll(key)
  }

  /** Closes the groups under windows that were ended from outside. */
  rollEnded(): void {
    for (const [key, group] of [...this.#groups]) if (group.hasEndedWindow) this.#roll(key)
  }

  /** Ends the packing and hands back what is open. */
  close(): SegmentGroup[] {
    this.#isClosed = true
    const groups = [...this.#groups.values()]
    this.#groups.clear()
    return groups
  }

  #keyOf(at: TopicPartition): string {
    return this.#services.settings.keyDomain.by === 'topic' ? at.topic : ONE_FOR_ALL
  }

  /** Where a frame of the domain goes now; null where there is no room for it. */
  #find(at: TopicPartition, keyDomain: string, bytes: number, nowMs: number): PackingPlace | null {
    const group = this.#groups.get(this.#keyOf(at))
    const member = group?.member(keyDomain)
    if (group === undefined || member === undefined) return null
    const { writer } = member
    if (!writer.sources.canHold(at) || !writer.hasRoom(bytes, nowMs)) return null
    return { keyDomain, group, member, source: writer.sources.of(at), progress: group.progress(at) }
  }

  /** Closes what has no room for a frame of the domain, and waits for a window that has. */
  async #windowFor(at: TopicPartition, keyDomain: string, bytes: number): Promise<DekWindow> {
    const { windows, clock, observer } = this.#services
    this.#rollIfFull(at, keyDomain)
    await this.#queue.room()
    const startedAtMs = clock.elapsedMs()
    const window = await windows.take(keyDomain, bytes)
    observer.keyAwaited(clock.elapsedMs() - startedAtMs)
    return window
  }

  /**
   * Opens a segment for the domain under `window`, or finds the one that another partition of the
   * lane has opened meanwhile. Null where others have used the window up: it takes another then.
   */
  #openFor(
    at: TopicPartition,
    keyDomain: string,
    bytes: number,
    window: DekWindow,
  ): PackingPlace | null {
    const nowMs = this.#services.clock.elapsedMs()
    const found = this.#find(at, keyDomain, bytes, nowMs)
    if (found !== null || !window.hasRoom(bytes, nowMs)) return found
    this.#rollIfFull(at, keyDomain)
    this.#openSegment(this.#group(at), this.#keyOf(at), keyDomain, window)
    return this.#find(at, keyDomain, bytes, nowMs)
  }

  /** Closes the group of a partition that can neither hold more of the domain nor open it. */
  #rollIfFull(at: TopicPartition, keyDomain: string): void {
    const key = this.#keyOf(at)
    const group = this.#groups.get(key)
    if (group === undefined) return
    const isFull = group.size >= this.#services.settings.openSegmentsMax
    if (isFull || group.member(keyDomain) !== undefined) this.#roll(key)
  }

  /** The open group of a partition; made when there is none. */
  #group(at: TopicPartition): SegmentGroup {
    const key = this.#keyOf(at)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new SegmentGroup(this.#services.clock.elapsedMs())
      this.#groups.set(key, group)
      void this.#rollAged(key, group)
    }
    return group
  }

  #openSegment(group: SegmentGroup, key: string, keyDomain: string, window: DekWindow): void {
    const { clock, settings, segments, source } = this.#services
    const segmentId = randomUUID()
    const createdAtMs = clock.nowMs()
    const plan = {
      segmentId,
      objectKey: segmentObjectKey(settings, keyDomain, segmentId, createdAtMs),
      clusterId: source.clusterId,
      createdAtMs,
      token: randomUUID(),
      window,
      limits: settings.segment,
    }
    group.open(keyDomain, new SegmentWriter(plan, segments))
    const nowMs = clock.elapsedMs()
    const leftMs = window.endsAtMs(nowMs) - nowMs
    const groupLeftMs = group.openedAtMs + this.#crowdedAgeMs - nowMs
    if (leftMs < groupLeftMs) this.#rollAfter(Math.max(leftMs, 0), key, group)
  }

  #rollAfter(delayMs: number, key: string, group: SegmentGroup): void {
    this.#services.clock.sleep(delayMs, group.closed).then(() => this.#rollGroup(key, group))
  }

  async #rollAged(key: string, group: SegmentGroup): Promise<void> {
    const { clock, settings } = this.#services
    const { ageMs } = settings.segment
    const { closed } = group
    await clock.sleep(ageMs, closed)
    if (closed.aborted) return
    const longerMs = this.#crowdedAgeMs - ageMs
    await Promise.race([this.#queue.calm(closed), clock.sleep(longerMs, closed)])
    this.#rollGroup(key, group)
  }

  /** How old a group may get behind a crowd: there must be time left to publish it. */
  get #crowdedAgeMs(): number {
    const { ageMs, publishWithinMs } = this.#services.settings.segment
    return Math.max(ageMs, Math.min(ageMs * CROWDED_AGES_MAX, publishWithinMs / 2))
  }

  #rollGroup(key: string, group: SegmentGroup): void {
    if (this.#groups.get(key) === group) this.#roll(key)
  }

  /** Closes a group and hands it on. */
  #roll(key: string): void {
    const group = this.#groups.get(key)
    if (group === undefined || this.#isClosed) return
    this.#groups.delete(key)
    this.#queue.add(group)
  }
}
