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

/**
 * Open segments that are published together. Messages of one partition may go to several segments,
 * one for each key domain, and their references must still come in the order of their offsets: so
 * the segments that share partitions are closed at the same moment, published in one transaction,
 * and their references merged in the order of packing. With one domain a topic, a group is one segment.
 */
export class SegmentGroup {
  readonly openedAtMs: number
  readonly #members = new Map<string, GroupMember>()
  readonly #progress = new Map<string, Progress & { nextOffset: number }>()
  readonly #quarantined: Quarantined[] = []
  readonly #closed = new AbortController()
  /** Kept from the second segment on. */
  #order: number[] | null = null
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
    if (member.index === 1) this.#order = new Array(this.#messageCount).fill(0)
    this.#members.set(keyDomain, member)
    return member
  }

  /** Notes that a message was packed into a member. */
  packed({ index }: GroupMember): void {
    this.#messageCount++
    this.#order?.push(index)
  }

  /** Sets one message aside; its note goes out in the transaction of the group. */
  quarantine({ topic, partition, offset }: Message, error: SealError): void {
    this.#quarantined.push({ topic, partition, offset, error })
  }

  /** How far a partition is done once the group is published; whoever packs moves it on. */
  progress({ topic, partition }: TopicPartition): { nextOffset: number } {
    const place = placeOf({ topic, partition })
    let progress = this.#progress.get(place)
    if (progress === undefined) {
      progress = { topic, partition, nextOffset: 0 }
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
      order: this.#order,
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
