import { readDirectory, readEntry } from '../incident/directory-scan.ts'
import type { ScannedSegment, ScannedStore } from '../incident/store-scan.ts'
import type { DekRecord, KeyStore } from '../keys/key-store.ts'
import type { WrapRegister } from '../keys/wrap-register.ts'
import type { LookUps } from '../mapping/look-ups.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import { dekObjectKey } from '../segment/object-key.ts'
import { differingFields } from '../verify/key-check.ts'
import type { KeyRecords } from '../verify/ports.ts'
import type { Differences } from './differences.ts'

/** Where DEKs stand on record, and how one is put there. */
export interface KeyPorts {
  readonly mapping: Pick<MappingReader, 'deksOfKek'> & Pick<LookUps, 'deksOfDomain'>
  readonly deks: Pick<KeyRecords, 'onRecord'>
  /** null: nothing is written. */
  readonly keys: (KeyStore & Pick<WrapRegister, 'noteWrap'>) | null
}

/** A record whose KEK did not lead to it when it was asked, and the one that a look-up by DEK finds. */
interface Doubt {
  readonly record: DekRecord
  readonly onRecord: DekRecord
}

/**
 * Holds the DEKs on record against the key directory, and against what segments say of their wrapped
 * keys; writes those that are missing. Holds the ids of all DEKs, some 200 bytes each.
 */
export class KeyRebuild {
  readonly #store: ScannedStore
  readonly #ports: KeyPorts
  readonly #prefix: string
  readonly #differences: Differences
  /** The KEK of every DEK that the key directory names. */
  readonly #directory = new Map<string, string>()
  /** By KEK: the DEKs that a look-up by it found. */
  readonly #byKek = new Map<string, Promise<Set<string>>>()
  /** The same by key domain. */
  readonly #byDomain = new Map<string, Promise<Set<string>>>()
  /** Wraps of segments that were looked at, one entry for each DEK and KEK. */
  readonly #looked = new Set<string>()
  readonly #doubts: Doubt[] = []
  written = 0

  constructor(store: ScannedStore, ports: KeyPorts, prefix: string, differences: Differences) {
    this.#store = store
    this.#ports = ports
    this.#prefix = prefix
    this.#differences = differences
  }

  /** How many DEKs the key directory names. */
  get directorySize(): number {
    return this.#directory.size
  }

  /** Goes through the key directory. Throws SEAL_STORE_*, SEAL_MAPPING_* and SEAL_STOPPED. */
  async takeDirectory(signal: AbortSignal, onEntry: () => void): Promise<void> {
    const scope = { prefix: this.#prefix, signal }
    const take = async (record: DekRecord) => {
      await this.#takeRecord(record)
      onEntry()
    }
    await readDirectory(this.#store, scope, take, (object, reason) =>
      this.#differences.add({ kind: 'unreadDek', object, meaning: reason }),
    )
  }

  /**
   * Goes by a segment whose DEK the key directory does not know, or knows under another KEK: its own
   * wrapped key is the record then. When the DEK was made, and which version of the KEK has wrapped
   * it, no segment tells.
   */
  async takeSegment(found: ScannedSegment): Promise<void> {
    const { dekId, kekId, keyDomain, wrapped, createdAtMs } = found
    if (this.#directory.get(dekId) === kekId || this.#looked.has(`${dekId} ${kekId}`)) return
    this.#looked.add(`${dekId} ${kekId}`)
    if (!this.#directory.has(dekId)) {
      // It may be newer than the listing.
      const prefix = { prefix: this.#prefix }
      const entry = await readEntry(this.#store, prefix, dekObjectKey(prefix, dekId))
      if (entry !== null && typeof entry !== 'string') await this.#takeRecord(entry)
      if (this.#directory.get(dekId) === kekId) return
    }
    const onRecord = await this.#ports.deks.onRecord(dekId)
    const record = { dekId, keyDomain, kekId, kekVersion: null, wrapped, createdAtMs }
    if (onRecord === null) await this.#restore(record, null)
    else if (!(await this.#isFound(record))) {
      this.#doubts.push({ record: { ...record, createdAtMs: onRecord.createdAtMs }, onRecord })
    }
  }

  /** Asks once more for what no KEK led to: a DEK may have been made since that was asked. */
  async settle(): Promise<void> {
    if (this.#doubts.length > 0) {
      this.#byKek.clear()
      this.#byDomain.clear()
    }
    for (const { record, onRecord } of this.#doubts.splice(0)) {
      if (!(await this.#isFound(record))) await this.#restore(record, onRecord)
    }
  }

  async #takeRecord(record: DekRecord): Promise<void> {
    const { dekId, kekId } = record
    this.#directory.set(dekId, kekId)
    const onRecord = await this.#ports.deks.onRecord(dekId)
    if (onRecord === null) return this.#restore(record, null)
    const fields = differingFields(onRecord, record)
    if (fields.length > 0) {
      const meaning = `it is on record with another ${fields.join(', ')} than in the key directory`
      this.#differences.add({ kind: 'otherDek', dekId, meaning })
    } else if (!(await this.#isFound(record))) this.#doubts.push({ record, onRecord })
  }

  /** `onRecord` stays the record that a look-up by DEK finds. */
  async #restore(record: DekRecord, onRecord: DekRecord | null): Promise<void> {
    const { dekId, kekId } = record
    const meaning =
      onRecord === null
        ? 'it is not on record'
        : `KEK ${kekId} or its key domain does not lead to it`
    this.#differences.add({ kind: 'missingDek', dekId, meaning })
    const { keys } = this.#ports
    if (keys === null) return
    const isOtherWrap = onRecord !== null && onRecord.kekId !== kekId
    if (isOtherWrap) await keys.noteWrap(record)
    else await keys.recordDek(record)
    this.written++
  }

  /** Whether its KEK and its key domain lead to it. */
  async #isFound({ dekId, kekId, keyDomain }: DekRecord): Promise<boolean> {
    if (!(await this.#dekIdsOf(kekId)).has(dekId)) return false
    const ofDomain = this.#byDomain.get(keyDomain) ?? this.#readDomain(keyDomain)
    this.#byDomain.set(keyDomain, ofDomain)
    return (await ofDomain).has(dekId)
  }

  async #readDomain(keyDomain: string): Promise<Set<string>> {
    const dekIds = new Set<string>()
    for await (const { dekId } of this.#ports.mapping.deksOfDomain(keyDomain)) dekIds.add(dekId)
    return dekIds
  }

  #dekIdsOf(kekId: string): Promise<Set<string>> {
    const found = this.#byKek.get(kekId) ?? this.#readDekIds(kekId)
    this.#byKek.set(kekId, found)
    return found
  }

  async #readDekIds(kekId: string): Promise<Set<string>> {
    const dekIds = new Set<string>()
    for await (const dek of this.#ports.mapping.deksOfKek(kekId)) dekIds.add(dek.dekId)
    return dekIds
  }
}
