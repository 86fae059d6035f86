import type { SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { placeOf, type TopicPartition } from './message-source.ts'
import type { Progress, Quarantined, SealedGroup } from './segment-plan.ts'
import type { SegmentWriter } from './segment-writer.ts'

/** An open segment and its number within its group. */
export interface GroupMember {
  readonly writer: SegmentWriter
  readonly index: number
}

/** One source partition within a group. */
export class GroupProgress implements Progress {
  readonly topic: string
  readonly partition: number
  nextOffset = 0
  #order: number[] | null
  #messageCount = 0

  constructor({ topic, partition }: TopicPartition, keepsOrder: boolean) {
    this.topic = topic
    this.partition = partition
    this.#order = keepsOrder ? [] : null
  }

  get order(): readonly number[] | null {
    return this.#order
  }

  /** From now on there is a second segment; so far all went to the first. */
  keepOrder(): void {
    this.#order = new Array(this.#messageCount).fill(0)
  }

  packed(index: number, nextOffset: number): void {
    this.nextOffset = nextOffset
    this.#messageCount++
    this.#order?.push(index)
  }
}

/**
 * Open segments that are published together. Messages of one partition may go to several segments,
 * one for each key domain, and their references must still come in the order of their offsets: so
 * the segments that share partitions are closed at the same moment, published in one transaction,
 * and their references merged in the order of packing. With one domain a topic, a group is one segment.
 */
export class SegmentGroup {
  readonly openedAtMs: number
  readonly #members = new Map<string, GroupMember>()
  readonly #progress = new Map<string, GroupProgress>()
  readonly #quarantined: Quarantined[] = []
  readonly #closed = new AbortController()
  #messageCount = 0

  constructor(openedAtMs: number) {
    this.openedAtMs = openedAtMs
  }

  /** Aborts when the group is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  get size(): number {
    return this.#members.size
  }

  /** What its messages hold of the in-flight budget. */
  get chargedBytes(): number {
    let bytes = 0
    for (const { writer } of this.#members.values()) bytes += writer.chargedBytes
    return bytes
  }

  /** Whether parts are under way to the store. */
  get isStoring(): boolean {
    return [...this.#members.values()].some(({ writer }) => writer.isStoring)
  }

  /** Resolves when the parts are stored, or have failed, that are under way now. */
  async stored(): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ writer }) => writer.stored()))
  }

  /** Whether the window of one of its segments was ended from outside. */
  get hasEndedWindow(): boolean {
    return [...this.#members.values()].some(({ writer }) => writer.plan.window.isEnded)
  }

  member(keyDomain: string): GroupMember | undefined {
    return this.#members.get(keyDomain)
  }

  /** Adds the segment of a domain that has none yet. */
  open(keyDomain: string, writer: SegmentWriter): GroupMember {
    const member = { writer, index: this.#members.size }
    if (member.index === 1) for (const progress of this.#progress.values()) progress.keepOrder()
    this.#members.set(keyDomain, member)
    return member
  }

  /** Notes that the message before `nextOffset` was packed into a member. */
  packed({ index }: GroupMember, progress: GroupProgress, nextOffset: number): void {
    this.#messageCount++
    progress.packed(index, nextOffset)
  }

  /** Sets one message aside; its note goes out in the transaction of the group. */
  quarantine({ topic, partition, offset }: Message, error: SealError): void {
    this.#quarantined.push({ topic, partition, offset, error })
  }

  /** How far a partition is done once the group is published; whoever packs moves it on. */
  progress(at: TopicPartition): GroupProgress {
    const place = placeOf(at)
    let progress = this.#progress.get(place)
    if (progress === undefined) {
      progress = new GroupProgress(at, this.#members.size > 1)
      this.#progress.set(place, progress)
    }
    return progress
  }

  /** Seals every segment. Call it once; nothing may be added afterwards. */
  async finish(): Promise<SealedGroup> {
    this.#closed.abort()
    const writers = [...this.#members.values()].map(({ writer }) => writer)
    const segments = await Promise.all(writers.map((writer) => writer.finish()))
    return {
      segments,
      quarantined: this.#quarantined,
      progress: [...this.#progress.values()],
      messageCount: this.#messageCount,
      chargedBytes: this.chargedBytes,
      openedAtMs: this.openedAtMs,
      createdAtMs: Math.min(...writers.map(({ plan }) => plan.createdAtMs)),
    }
  }

  /** Gives every segment up; resolves when their workers are done. */
  async abandon(): Promise<void> {
    this.#closed.abort()
    await Promise.all([...this.#members.values()].map(({ writer }) => writer.abandon()))
  }
}
