import { randomUUID } from 'node:crypto'
import { ReferenceEncoder } from '../../src/format/reference-value.ts'
import { carryOut } from '../../src/incident/sweep.ts'
import { planSweep, type SweepScope } from '../../src/incident/sweep-plan.ts'
import { messagesOf } from '../../src/mapping/mapped-messages.ts'
import type { SegmentEntry, SegmentIntent } from '../../src/mapping/mapping-store.ts'
import { dekOfObject } from '../../src/reader/segment-holder.ts'
import { segmentObjectKey } from '../../src/segment/object-key.ts'
import { all, columnsOf, messagesFrom, rowsOf } from '../contracts/mapping-store.contract.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryMappingStore } from './memory-mapping-store.ts'
import { MemoryObjectInventory } from './memory-object-inventory.ts'
import { MemoryObjectStore } from './memory-object-store.ts'
import { MemoryReferenceLog } from './memory-reference-log.ts'

const HOUR_MS = 3_600_000

/** How far the writer of a segment came before it died. */
export interface Remains {
  readonly topic?: string
  readonly prefix?: string
  readonly rows?: number
  readonly upload?: boolean
  readonly object?: boolean
  /** First source offset. */
  readonly base?: number
}

/** A bucket, a register and references in memory, and a sweep over them. */
export class SweepPlace {
  readonly clock = new ManualClock()
  readonly mapping = new MemoryMappingStore()
  readonly store = new MemoryObjectStore(this.clock)
  readonly inventory = new MemoryObjectInventory(this.store)
  readonly references = new MemoryReferenceLog(['orders'])
  readonly stages: string[] = []
  readonly stop = new AbortController()
  readonly scope: SweepScope = {
    ...{ prefix: 'sealed', domains: new Set(['orders']), ageMs: 24 * HOUR_MS },
    signal: this.stop.signal,
    onProgress: (stage, done, total) => this.stages.push(`${stage} ${done}/${total ?? '?'}`),
  }
  readonly ports = {
    register: this.mapping,
    mapping: this.mapping,
    marks: this.mapping,
    inventory: this.inventory,
    references: this.references,
    holders: { dekOf: (objectKey: string) => dekOfObject(this.store, objectKey) },
    clock: this.clock,
  }

  /** Leaves behind what a dead writer does. */
  async leave(remains: Remains = {}): Promise<SegmentIntent> {
    const { topic = 'orders', prefix = 'sealed', rows = 3, base = 0 } = remains
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const createdAtMs = this.clock.nowMs()
    const objectKey = segmentObjectKey({ prefix }, topic, segment.segmentId, createdAtMs)
    const intent = { ...segment, objectKey, createdAtMs }
    await this.mapping.recordIntent(intent)
    if (remains.upload) await this.store.createUpload(objectKey, {})
    if (remains.object ?? true) await this.store.put(objectKey, Buffer.alloc(100), {})
    await this.mapping.writeRows(segment, objectKey, columnsOf(messagesFrom(base, rows, topic)))
    return intent
  }

  /** Commits references that say: these offsets are in that object. */
  refer({ objectKey }: Pick<SegmentIntent, 'objectKey'>, base = 0, count = 3): void {
    const encoder = new ReferenceEncoder(objectKey, 'orders', 0)
    const values = Array.from({ length: count }, (_, i) => encoder.encode(base + i, 160, 100))
    this.references.append(values.map(Buffer.from), this.clock.nowMs())
  }

  hours(count: number): void {
    this.clock.advance(count * HOUR_MS)
  }

  plan(scope: Partial<SweepScope> = {}) {
    return planSweep(this.ports, { ...this.scope, ...scope })
  }

  /** Plans and carries out. */
  async sweep(scope: Partial<SweepScope> = {}) {
    const whole = { ...this.scope, ...scope }
    const plan = await planSweep(this.ports, whole)
    return { plan, outcome: await carryOut(this.ports, whole, plan) }
  }

  async entry({ dekId, segmentId }: SegmentIntent): Promise<SegmentEntry | undefined> {
    const entries = await all(this.mapping.segmentsOfDek(dekId))
    return entries.find((one) => one.segmentId === segmentId)
  }

  rows(segment: SegmentIntent) {
    return all(messagesOf(this.mapping, rowsOf(segment)))
  }
}
