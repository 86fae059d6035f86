import { laneOf, type TopicPartition } from '../../src/pipeline/message-source.ts'
import type { Happening, Scheduler } from './scheduler.ts'

/** What a member is given when a rebalance ends. */
export interface Membership {
  readonly generation: number
  readonly partitions: readonly TopicPartition[]
}

export type Beat = 'ok' | 'rebalancing' | 'unknown'

export const SESSION_MS = 10_000
const REBALANCE_MS_MAX = 8_000

interface Member {
  lastBeatMs: number
  /** Waits for the end of the rebalance. */
  joining: ((membership: Membership) => void) | null
}

/**
 * The group coordinator of an eager protocol: a rebalance waits until every member that is known has
 * joined, or for so long; who has not joined by then is out, and does not know it yet. Lanes are
 * given whole, in the order of member ids, as the product's assigner does.
 */
export class ConsumerGroup {
  readonly #scheduler: Scheduler
  readonly #lanes: number
  readonly #partitions: readonly TopicPartition[]
  readonly #note: (line: () => string) => void
  readonly #members = new Map<string, Member>()
  #generation = 0
  #deadline: Happening | null = null

  constructor(
    scheduler: Scheduler,
    lanes: number,
    partitions: readonly TopicPartition[],
    note: (line: () => string) => void,
  ) {
    this.#scheduler = scheduler
    this.#lanes = lanes
    this.#partitions = partitions
    this.#note = note
  }

  /** Who is a member now, and what of the source each was given last. */
  join(memberId: string, answer: (membership: Membership) => void): void {
    const lastBeatMs = this.#scheduler.nowMs
    const member = this.#members.get(memberId)
    if (member === undefined) {
      this.#members.set(memberId, { lastBeatMs, joining: answer })
      this.#watch(memberId)
    } else {
      member.lastBeatMs = lastBeatMs
      member.joining = answer
    }
    this.#rebalance()
  }

  beat(memberId: string, generation: number): Beat {
    const member = this.#members.get(memberId)
    if (member === undefined) return 'unknown'
    member.lastBeatMs = this.#scheduler.nowMs
    return this.#deadline !== null || generation !== this.#generation ? 'rebalancing' : 'ok'
  }

  leave(memberId: string): void {
    if (this.#members.delete(memberId)) this.#rebalance()
  }

  #watch(memberId: string): void {
    const look = () => {
      const member = this.#members.get(memberId)
      if (member === undefined) return
      const leftMs = member.lastBeatMs + SESSION_MS - this.#scheduler.nowMs
      if (leftMs > 0 || member.joining !== null) {
        this.#scheduler.at(Math.max(leftMs, 1_000), look)
        return
      }
      this.#note(() => `kafka: ${memberId} has lost its session`)
      this.leave(memberId)
    }
    this.#scheduler.at(SESSION_MS, look)
  }

  #rebalance(): void {
    if (this.#members.size === 0) return
    const isEverybodyHere = [...this.#members.values()].every(({ joining }) => joining !== null)
    if (isEverybodyHere) this.#complete()
    else this.#deadline ??= this.#scheduler.at(REBALANCE_MS_MAX, () => this.#complete())
  }

  #complete(): void {
    if (this.#deadline !== null) this.#scheduler.cancel(this.#deadline)
    this.#deadline = null
    for (const [memberId, { joining }] of this.#members) {
      if (joining === null) this.#members.delete(memberId)
    }
    if (this.#members.size === 0) return
    const generation = ++this.#generation
    const owners = [...this.#members.keys()].sort()
    this.#note(() => `kafka: generation ${generation}: ${owners.join(', ')}`)
    for (const [i, owner] of owners.entries()) {
      const member = this.#members.get(owner) as Member
      const partitions = this.#partitions.filter(
        (at) => laneOf(at, this.#lanes) % owners.length === i,
      )
      member.lastBeatMs = this.#scheduler.nowMs
      member.joining?.({ generation, partitions })
      member.joining = null
    }
  }
}
