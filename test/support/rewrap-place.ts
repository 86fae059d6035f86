import { writableKeyDirectoryOf } from '../../src/compose/key-directory.ts'
import type { Message } from '../../src/format/message.ts'
import type { Dek } from '../../src/keys/dek.ts'
import type { DekRecord } from '../../src/keys/key-store.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import type { RewrapServices } from '../../src/rewrap/job.ts'
import type { RewrapScope } from '../../src/rewrap/scope.ts'
import { segmentHeaders } from '../../src/rewrap/segment-headers.ts'
import { dekObjectKey } from '../../src/segment/object-key.ts'
import { FakeKms } from './fake-kms.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryKeyEventLog } from './memory-key-event-log.ts'
import { MemoryMappingStore } from './memory-mapping-store.ts'
import { MemoryObjectStore } from './memory-object-store.ts'
import { messages } from './messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from './sealed-segment.ts'
import { type AtEffect, toldEffects } from './told-effects.ts'

export const NEW_KEK = '5ea15eed-0000-4000-8000-00000000000b'
export const THIRD_KEK = '5ea15eed-0000-4000-8000-00000000000c'
/** Hears of no waiting. */
export const silent = { waiting: () => {}, recovered: () => {} }
const NAMES = { prefix: 'sealed' }

/** DEKs with segments under them, in the three places where wraps are. */
export class RewrapPlace {
  readonly clock = new ManualClock()
  readonly kms = new FakeKms(KEK_ID, NEW_KEK, THIRD_KEK)
  readonly mapping = new MemoryMappingStore()
  readonly store = new MemoryObjectStore(this.clock)
  readonly events = new MemoryKeyEventLog()
  readonly directory = writableKeyDirectoryOf(this.store, this.store, NAMES)
  readonly segments: (SealedSegment & { readonly messages: readonly Message[] })[] = []
  readonly deks: DekRecord[] = []

  /** A DEK on record everywhere, with one segment under it unless it is told that there is none. */
  async seal(isUsed = true): Promise<DekRecord> {
    const dek = await makeDek(this.kms)
    await this.mapping.recordDek(dek.record)
    await this.directory.record(dek.record)
    this.deks.push(dek.record)
    if (isUsed) await this.sealUnder(dek)
    return dek.record
  }

  async sealUnder(dek: Dek): Promise<void> {
    const sent = messages(2, { partition: 0 })
    const segment = await sealSegment(dek, this.store, sent)
    this.segments.push({ ...segment, messages: sent })
    const { segmentId, objectKey } = segment
    const { dekId } = dek.record
    const createdAtMs = this.clock.nowMs()
    await this.mapping.recordIntent({ dekId, segmentId, objectKey, createdAtMs })
    await this.mapping.recordPublished({ dekId, segmentId }, createdAtMs)
  }

  /** What a process works with that calls `atEffect` around everything it does outside of itself. */
  services(atEffect: AtEffect = () => {}): RewrapServices {
    const { clock, kms, mapping, store, events, directory } = this
    const told = <T extends object>(service: T, room: string): T =>
      toldEffects(service, room, atEffect)
    return {
      ...{ mapping, clock, kms: told(kms, 'kms'), register: told(mapping, 'register') },
      ...{ directory: told(directory, 'directory'), events: told(events, 'events') },
      headers: segmentHeaders(mapping, store),
    }
  }

  /** Everything under the first KEK, to the second. */
  scope(changes: Partial<RewrapScope> = {}): RewrapScope {
    return {
      ...{ kekId: KEK_ID, kekVersion: null, targetOf: () => NEW_KEK },
      ...{ actor: 'alice@ops-7', reason: 'rewrap: yearly' },
      ...changes,
    }
  }

  /** References that do not open to their message, with the KEKs that this reader may ask. */
  async wrong(allowedKekIds = [KEK_ID, NEW_KEK, THIRD_KEK]): Promise<string[]> {
    const { store: objects, kms, directory, clock } = this
    const options = { allowedKekIds, entriesMax: 100, ttlMs: 60_000 }
    const reader = new SealedReader({ objects, kms, directory, clock }, options)
    const wrong: string[] = []
    for (const { references, messages: sent } of this.segments) {
      const opened = await reader.tryReferences(references)
      for (const [i, one] of opened.entries()) {
        const isSame =
          !(one instanceof Error) &&
          Buffer.compare(one.value ?? Buffer.alloc(0), sent[i]?.value ?? Buffer.alloc(0)) === 0
        if (!isSame) wrong.push(one instanceof Error ? one.message : `offset ${one.offset}`)
      }
    }
    return wrong
  }

  /** The bare ids of the KEKs that wrap the DEK, in the register and in the directory. */
  async keksOf(dekId: string): Promise<(string | undefined)[]> {
    const wraps = [await this.mapping.find(dekId), (await this.directory.find(dekId))?.dek]
    return wraps.map((wrap) => wrap?.kekId.slice(wrap.kekId.lastIndexOf('/') + 1))
  }

  /** Puts an entry into the directory whatever is there, as somebody with write access can. */
  async forge(dek: DekRecord, at = dek.dekId): Promise<void> {
    const other = writableKeyDirectoryOf(this.store, this.store, { prefix: 'forged' })
    const found = await other.find(dek.dekId)
    await other.replace(dek, found?.revision ?? null)
    const object = this.store.objects.get(dekObjectKey({ prefix: 'forged' }, dek.dekId))
    if (object !== undefined) this.store.objects.set(dekObjectKey(NAMES, at), object)
  }
}
