import type { Message } from '../../src/format/message.ts'
import type { KeyScope } from '../../src/incident/impact-scope.ts'
import type { Dek } from '../../src/keys/dek.ts'
import { encodeDirectoryEntry } from '../../src/keys/key-directory.ts'
import type { DekRecord } from '../../src/keys/key-store.ts'
import { SourceCounts } from '../../src/mapping/source-counts.ts'
import { proveImpact } from '../../src/rebuild/impact-proof.ts'
import {
  type RebuildPorts,
  type RebuildReport,
  type RebuildScope,
  rebuildIndex,
} from '../../src/rebuild/rebuild.ts'
import { dekObjectKey } from '../../src/segment/object-key.ts'
import { FakeKms } from './fake-kms.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryMappingStore } from './memory-mapping-store.ts'
import { MemoryObjectInventory } from './memory-object-inventory.ts'
import { MemoryObjectStore } from './memory-object-store.ts'
import { MemoryReferenceLog } from './memory-reference-log.ts'
import {
  CREATED_AT_MS,
  KEK_ID,
  makeDek,
  type SealedSegment,
  sealSegment,
} from './sealed-segment.ts'

export const PREFIX = 'sealed'
const HOUR_MS = 3_600_000

/** How far the encryptor of a segment came. */
export interface Road {
  readonly createdAtMs?: number
  /** Steps behind the object that were not done. */
  readonly without?: readonly ('rows' | 'sealed' | 'references' | 'published')[]
}

/** A bucket with real segments, the index of them and the references to them, all in memory. */
export class RebuildPlace {
  readonly clock = new ManualClock()
  readonly store = new MemoryObjectStore(this.clock)
  readonly inventory = new MemoryObjectInventory(this.store)
  readonly references = new MemoryReferenceLog(['orders', 'payments'])
  readonly stop = new AbortController()
  mapping = new MemoryMappingStore()
  readonly #kms = new FakeKms(KEK_ID)

  /** A DEK on record, in the key directory too. */
  async dek(keyDomain = 'orders'): Promise<Dek> {
    const records: DekRecord[] = []
    const dek = await makeDek(this.#kms, keyDomain, records)
    const record = records[0] as DekRecord
    await this.mapping.recordDek(record)
    const key = dekObjectKey({ prefix: PREFIX }, record.dekId)
    await this.store.put(key, encodeDirectoryEntry(record), {})
    return dek
  }

  /** Seals messages and goes the road of an encryptor to its end, or leaves steps out. */
  async seal(dek: Dek, messages: readonly Message[], road: Road = {}): Promise<SealedSegment> {
    const { createdAtMs = CREATED_AT_MS, without = [] } = road
    const segment = await sealSegment(dek, this.store, messages, createdAtMs)
    const { segmentId, objectKey, rows } = segment
    const key = { dekId: dek.record.dekId, segmentId }
    await this.mapping.recordIntent({ ...key, objectKey, createdAtMs })
    await this.mapping.recordPlaces({ ...key, createdAtMs }, rows)
    await this.mapping.recordTotals({ ...key, createdAtMs }, new SourceCounts().add(rows).all())
    if (!without.includes('rows')) await this.mapping.writeRows(key, objectKey, rows)
    if (!without.includes('sealed')) {
      const totals = { messageCount: messages.length, bytes: segment.bytes.length }
      await this.mapping.recordSealed({ ...key, ...totals, sealedAtMs: createdAtMs })
    }
    if (!without.includes('references')) this.refer(segment, createdAtMs)
    if (!without.includes('published')) await this.mapping.recordPublished(key, createdAtMs)
    return segment
  }

  /** Commits the references of a segment. */
  refer({ references }: SealedSegment, atMs = CREATED_AT_MS): void {
    const values = references.map((one) => Buffer.from(JSON.stringify({ v: 1, ...one })))
    this.references.append(values, atMs)
  }

  /** What was noted of rebuilds as a whole. */
  readonly notes: string[] = []
  readonly coverage = {
    begin: async () => void this.notes.push('begin'),
    end: async () => void this.notes.push('end'),
  }

  get ports(): RebuildPorts {
    const { mapping, clock, references, inventory } = this
    return {
      store: { inventory, objects: this.store },
      ...{ mapping, deks: mapping, register: mapping, references, clock },
      ...{ keys: mapping, writer: mapping, coverage: this.coverage },
    }
  }

  get scope(): RebuildScope {
    return {
      ...{ prefix: PREFIX, rows: 'compare', underWayMs: 2 * HOUR_MS, keptMax: 20 },
      signal: this.stop.signal,
      observer: { stepBegan: () => {}, advanced: () => {} },
    }
  }

  rebuild(scope: Partial<RebuildScope> = {}, ports: Partial<RebuildPorts> = {}) {
    return rebuildIndex({ ...this.ports, ...ports }, { ...this.scope, ...scope })
  }

  /** Compares, and changes nothing. */
  compare(scope: Partial<RebuildScope> = {}, ports: Partial<RebuildPorts> = {}) {
    return this.rebuild(scope, { keys: null, writer: null, coverage: null, ...ports })
  }

  prove(scope: KeyScope) {
    const { inventory, store, mapping, clock } = this
    const settings = { ...this.scope, onScanned: () => {} }
    return proveImpact({ store: { inventory, objects: store }, mapping, clock }, scope, settings)
  }
}

/** `base` with other methods in the place of some. */
export function withMethods<T extends object>(base: T, methods: Partial<T>): T {
  return new Proxy(base, {
    get(target, name) {
      const value = (name in methods ? methods : target)[name as keyof T]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The kinds that were found, with their counts. */
export function foundIn({ found }: RebuildReport): Partial<RebuildReport['found']> {
  return Object.fromEntries(Object.entries(found).filter(([, count]) => count > 0))
}
