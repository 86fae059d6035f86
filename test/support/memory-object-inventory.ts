import { randomUUID } from 'node:crypto'
import { SealError } from '../../src/errors.ts'
import type {
  ObjectInventory,
  OpenUpload,
  StoredObject,
} from '../../src/segment/object-inventory.ts'
import type { ObjectMetadata } from '../../src/segment/object-store.ts'
import type { StoredObject as Content, MemoryObjectStore } from './memory-object-store.ts'

/**
 * The inventory of a {@link MemoryObjectStore}, as of a bucket that keeps versions. What time it is
 * is the clock of that store; an object that a test put there by hand has no age.
 */
export class MemoryObjectInventory implements ObjectInventory {
  /** Every version and upload that was taken away, in order. */
  readonly taken: (StoredObject | OpenUpload)[] = []
  readonly #store: MemoryObjectStore
  readonly #versionIds = new WeakMap<object, string>()
  /** Older versions, and marks of deletion. */
  #past: StoredObject[] = []
  readonly #pastContent = new Map<string | null, Content>()

  /** Versions that the store keeps, by their id, and until when. */
  readonly retained = new Map<string, number>()

  constructor(store: MemoryObjectStore) {
    this.#store = store
    store.versionOf = (key, versionId) => {
      const content = store.objects.get(key)
      const isCurrent = content !== undefined && this.#current(key).versionId === versionId
      return isCurrent ? content : this.#pastContent.get(versionId)
    }
    store.onReplaced = (key) => this.#outdate(key)
  }

  async retainedUntilMs({ versionId }: StoredObject): Promise<number | null> {
    return this.retained.get(versionId ?? '') ?? null
  }

  async *objects(prefix: string): AsyncGenerator<StoredObject> {
    const all = [...this.#store.objects.keys()].map((key) => this.#current(key)).concat(this.#past)
    for (const object of all) {
      if (!object.key.startsWith(prefix)) continue
      const isCovered = object.isDeleteMarker && this.#store.objects.has(object.key)
      yield { ...object, isCurrent: object.isCurrent && !isCovered }
    }
  }

  async *uploads(prefix: string): AsyncGenerator<OpenUpload> {
    for (const [uploadId, { key, startedAtMs }] of [...this.#store.uploads]) {
      if (key.startsWith(prefix)) yield { key, uploadId, startedAtMs }
    }
  }

  /** Without a version it is what S3 makes of it: a mark of deletion on top. */
  async remove(object: StoredObject): Promise<void> {
    if (object.versionId === null) return this.cover(object.key)
    const untilMs = this.retained.get(object.versionId ?? '') ?? 0
    if (untilMs > this.#store.clock.nowMs()) {
      throw new SealError('SEAL_STORE_REFUSED', `${object.key} is locked`)
    }
    this.taken.push(object)
    const isIt = ({ key, versionId }: StoredObject) =>
      key === object.key && versionId === object.versionId
    this.#past = this.#past.filter((one) => !isIt(one))
    this.#pastContent.delete(object.versionId)
    if (!this.#store.objects.has(object.key)) return
    if (isIt(this.#current(object.key))) this.#store.objects.delete(object.key)
  }

  async abort(upload: OpenUpload): Promise<void> {
    this.taken.push(upload)
    await this.#store.abortUpload(upload.key, upload.uploadId)
  }

  /** What somebody does who writes over what is there. */
  replace(key: string, bytes: Buffer, metadata: ObjectMetadata = {}): void {
    this.#outdate(key)
    const modifiedAtMs = this.#store.clock.nowMs()
    this.#store.objects.set(key, { bytes, metadata, modifiedAtMs })
  }

  /** What somebody does who deletes without naming a version: a mark covers what is there. */
  cover(key: string): void {
    this.#outdate(key)
    this.#store.objects.delete(key)
    const modifiedAtMs = this.#store.clock.nowMs()
    const mark = { isDeleteMarker: true, isCurrent: true, bytes: 0, modifiedAtMs }
    this.#past.push({ key, versionId: randomUUID(), ...mark })
  }

  /** What is current there is so no longer. */
  #outdate(key: string): void {
    const content = this.#store.objects.get(key)
    if (content !== undefined) {
      const current = this.#current(key)
      this.#past.push(current)
      this.#pastContent.set(current.versionId, content)
    }
    this.#past = this.#past.map((one) => (one.key === key ? { ...one, isCurrent: false } : one))
  }

  #current(key: string): StoredObject {
    const object = this.#store.objects.get(key)
    if (object === undefined) throw new Error(`no object ${key}`)
    const versionId = this.#versionIds.get(object) ?? randomUUID()
    this.#versionIds.set(object, versionId)
    const { bytes, modifiedAtMs = Number.NaN } = object
    const known = { isDeleteMarker: false, isCurrent: true }
    return { key, versionId, ...known, bytes: bytes.length, modifiedAtMs }
  }
}
