import type { DekEntry } from '../../src/mapping/mapping-store.ts'
import type {
  AgedDek,
  RotationLog,
  RotationRound,
  SegmentTotals,
} from '../../src/mapping/rotation-log.ts'
import type { MemoryMappingStore } from './memory-mapping-store.ts'

const DAY_MS = 86_400_000

/** The log of rotations in memory, held to the same contract as the one over Cassandra. */
export class MemoryRotationLog implements RotationLog {
  readonly #mapping: Pick<MemoryMappingStore, 'deksOfDomain'>
  readonly #marks = new Map<string, Pick<AgedDek, 'orderedAtMs' | 'done'>>()
  readonly #closed = new Map<string, { day: number; totals: SegmentTotals }>()
  #round: RotationRound | null = null
  #lease: { holder: string; untilMs: number } | null = null

  constructor(mapping: Pick<MemoryMappingStore, 'deksOfDomain'>) {
    this.#mapping = mapping
  }

  async *agedDeks(keyDomain: string, madeBeforeMs: number): AsyncGenerator<AgedDek> {
    const through = this.#closed.get(keyDomain)?.day ?? Number.NEGATIVE_INFINITY
    for await (const dek of this.#mapping.deksOfDomain(keyDomain)) {
      if (dek.createdAtMs >= madeBeforeMs || dayOf(dek.createdAtMs) <= through) continue
      yield { ...dek, ...this.#markOf(dek) }
    }
  }

  async recordOrdered(dek: DekEntry, atMs: number): Promise<void> {
    this.#marks.set(dek.dekId, { ...this.#markOf(dek), orderedAtMs: atMs })
  }

  async recordDone(dek: DekEntry, done: SegmentTotals): Promise<void> {
    this.#marks.set(dek.dekId, { ...this.#markOf(dek), done: { ...done } })
  }

  async closeDays(keyDomain: string, throughMs: number): Promise<void> {
    const before = this.#closed.get(keyDomain)
    const day = dayOf(throughMs)
    if (before !== undefined && day <= before.day) return
    const totals = { ...(before?.totals ?? { segments: 0, messages: 0, bytes: 0 }) }
    for await (const dek of this.agedDeks(keyDomain, (day + 1) * DAY_MS)) {
      totals.segments += dek.done?.segments ?? 0
      totals.messages += dek.done?.messages ?? 0
      totals.bytes += dek.done?.bytes ?? 0
    }
    this.#closed.set(keyDomain, { day, totals })
  }

  async closedTotals(keyDomain: string): Promise<SegmentTotals> {
    return this.#closed.get(keyDomain)?.totals ?? { segments: 0, messages: 0, bytes: 0 }
  }

  async reopen(): Promise<void> {
    this.#closed.clear()
    this.#marks.clear()
  }

  async latestRound(): Promise<RotationRound | null> {
    return this.#round
  }

  async recordRound(round: RotationRound): Promise<void> {
    this.#round = { ...round }
  }

  async hold(holder: string, forMs: number): Promise<boolean> {
    const lease = this.#lease
    if (lease !== null && lease.untilMs > Date.now() && lease.holder !== holder) return false
    this.#lease = { holder, untilMs: Date.now() + forMs }
    return true
  }

  async release(holder: string): Promise<void> {
    if (this.#lease?.holder === holder) this.#lease = null
  }

  #markOf({ dekId }: DekEntry): Pick<AgedDek, 'orderedAtMs' | 'done'> {
    return this.#marks.get(dekId) ?? { orderedAtMs: null, done: null }
  }
}

function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS)
}
