import { nodeEngine } from '../../src/crypto/cipher-engine.ts'
import type { SealError } from '../../src/errors.ts'
import type { Message } from '../../src/format/message.ts'
import { createDek } from '../../src/keys/create-dek.ts'
import type { Dek } from '../../src/keys/dek.ts'
import { DekCache } from '../../src/keys/dek-cache.ts'
import { DekWindows } from '../../src/keys/dek-windows.ts'
import { windowPolicyOf } from '../../src/keys/window-policy.ts'
import type { SegmentEntry } from '../../src/mapping/mapping-store.ts'
import { PacedBudget } from '../../src/paced-budget.ts'
import { Patience } from '../../src/pipeline/patience.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import { resealRange } from '../../src/reencryption/reseal-range.ts'
import type { ResealTask } from '../../src/reencryption/reseal-task.ts'
import type { ReencryptionServices } from '../../src/reencryption/segment-reencryption.ts'
import { all } from '../contracts/mapping-store.contract.ts'
import { emptyDirectory } from './empty-directory.ts'
import { FakeKms } from './fake-kms.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryKeyEventLog } from './memory-key-event-log.ts'
import { MemoryMappingStore } from './memory-mapping-store.ts'
import { MemoryObjectInventory } from './memory-object-inventory.ts'
import { MemoryObjectStore } from './memory-object-store.ts'
import { MemoryRotationLog } from './memory-rotation-log.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from './sealed-segment.ts'
import { type AtEffect, toldEffects } from './told-effects.ts'

export const NEW_KEK_ID = '5ea15eed-0000-4000-8000-00000000000b'

/** A bucket, a register and a KMS in memory, with sealed segments to be re-encrypted. */
export class ReencryptionPlace {
  readonly clock = new ManualClock()
  readonly kms = new FakeKms(KEK_ID, NEW_KEK_ID)
  readonly mapping = new MemoryMappingStore()
  readonly rotation = new MemoryRotationLog(this.mapping)
  readonly store = new MemoryObjectStore(this.clock)
  readonly inventory = new MemoryObjectInventory(this.store)
  readonly stop = new AbortController()
  readonly segments: (SealedSegment & { readonly messages: readonly Message[] })[] = []
  /** Tasks as they came in. */
  readonly tasks: ResealTask[] = []
  readonly reader = new SealedReader(
    { objects: this.store, kms: this.kms, directory: emptyDirectory, clock: this.clock },
    { allowedKekIds: [KEK_ID, NEW_KEK_ID], entriesMax: 100, ttlMs: 60_000 },
  )

  /** Seals messages into a published segment, under `dek` where one is given. */
  async seal(messages: readonly Message[], dek?: Dek): Promise<SegmentEntry> {
    const used = dek ?? (await makeDek(this.kms))
    const segment = await sealSegment(used, this.store, messages)
    this.segments.push({ ...segment, messages })
    const { dekId } = used.record
    const { segmentId, objectKey, bytes } = segment
    const key = { dekId, segmentId }
    await this.mapping.recordDek(used.record)
    await this.mapping.recordIntent({ ...key, objectKey, createdAtMs: this.clock.nowMs() })
    await this.mapping.writeRows(key, objectKey, segment.rows)
    const totals = { messageCount: messages.length, bytes: bytes.length }
    await this.mapping.recordSealed({ ...key, ...totals, sealedAtMs: this.clock.nowMs() })
    await this.mapping.recordPublished(key, this.clock.nowMs())
    return (await this.entries(dekId)).find((one) => one.segmentId === segmentId) as SegmentEntry
  }

  /** What a process works with that calls `atEffect` around everything it does outside of itself. */
  services(atEffect: AtEffect = () => {}, over: Partial<ReencryptionServices> = {}) {
    const { clock, kms, mapping, store, inventory } = this
    const told = <T extends object>(service: T, room: string): T =>
      toldEffects(service, room, atEffect)
    const silent = { waiting: () => {}, recovered: () => {} }
    const maker = {
      ...{ kms: told(kms, 'kms'), keyStore: told(mapping, 'keys'), clock },
      ...{ events: new MemoryKeyEventLog(), actor: 'test', kekOf: () => NEW_KEK_ID },
    }
    const window = { ageMs: 3_600_000, messagesMax: 1_000, bytesMax: 1e9 }
    const windows = new DekWindows({
      createDek: (keyDomain) => createDek(maker, keyDomain),
      policy: windowPolicyOf({ ...window, outageFactor: 1, reserve: 0 }),
      ...{ deksMax: 100, clock, random: () => 0.5 },
      lives: { firstUsed: () => {}, retired: () => {} },
      onRefused: () => {},
    })
    const toldStore = told(store, 'store')
    const services: ReencryptionServices = {
      ...{ objects: store, store: toldStore, windows, clock, partBytes: 8 * 1024 * 1024 },
      leaving: null,
      // Iterated, so not by way of the proxy.
      inventory: {
        objects: (prefix) => inventory.objects(prefix),
        remove: told({ remove: inventory.remove.bind(inventory) }, 'inventory').remove,
        retainedUntilMs: (object) => inventory.retainedUntilMs(object),
      },
      keys: new DekCache({ kms, directory: emptyDirectory }, clock, {
        allowedKekIds: [KEK_ID, NEW_KEK_ID],
        entriesMax: 10,
        ttlMs: 1e6,
      }),
      marks: told(mapping, 'marks'),
      replacements: told(mapping, 'replacements'),
      register: told({ markSwept: mapping.markSwept.bind(mapping) }, 'register'),
      runner: {
        run: (task) => {
          this.tasks.push(task)
          return resealRange(task, { engine: nodeEngine, objects: store, store: toldStore })
        },
        close: async () => {},
      },
      budget: new PacedBudget(clock, { perSecond: Number.POSITIVE_INFINITY, burstMs: 0 }),
      patience: new Patience(clock, silent, this.stop.signal),
      ...over,
    }
    return services
  }

  /** Alters a byte of the first frame of a segment. */
  damage(objectKey: string): void {
    const bytes = this.store.objects.get(objectKey)?.bytes
    bytes?.writeUInt8(bytes.readUInt8(200) ^ 0xff, 200)
  }

  entries(dekId: string): Promise<SegmentEntry[]> {
    return all(this.mapping.segmentsOfDek(dekId))
  }

  /** Opens every reference; returns those that did not open to their message. */
  async wrong(): Promise<(SealError | string)[]> {
    const wrong: (SealError | string)[] = []
    const empty = Buffer.alloc(0)
    for (const { references, messages } of this.segments) {
      const opened = await this.reader.tryReferences(references)
      for (const [i, one] of opened.entries()) {
        if (one instanceof Error) wrong.push(one)
        else if (Buffer.compare(one.value ?? empty, messages[i]?.value ?? empty) !== 0)
          wrong.push(`offset ${one.offset}`)
      }
    }
    return wrong
  }
}
