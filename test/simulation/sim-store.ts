import { isDeepStrictEqual } from 'node:util'
import { SealError } from '../../src/errors.ts'
import type { ObjectMetadata, ObjectStore, PartReceipt } from '../../src/segment/object-store.ts'
import { EPOCH_MS, type Host } from './host.ts'
import type { World } from './world.ts'

export interface BucketObject {
  readonly bytes: Buffer
  readonly metadata: ObjectMetadata
  readonly modifiedAtMs: number
}

export interface BucketUpload {
  readonly key: string
  readonly metadata: ObjectMetadata
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>
  readonly startedAtMs: number
}

type Expected = { readonly bytes: number; readonly metadata: ObjectMetadata }

/** Objects are made only where there is none; every effect is looked at by the checker. */
export class Bucket {
  readonly objects = new Map<string, BucketObject>()
  readonly uploads = new Map<string, BucketUpload>()
  readonly #world: World
  #lastUpload = 0

  constructor(world: World) {
    this.#world = world
  }

  put(key: string, bytes: Buffer, metadata: ObjectMetadata): 'made' | 'is there' {
    this.#world.checker.storeTouched(key)
    if (this.objects.has(key)) return 'is there'
    this.objects.set(key, { bytes, metadata, modifiedAtMs: this.#nowMs() })
    return 'made'
  }

  createUpload(key: string, metadata: ObjectMetadata): string {
    this.#world.checker.storeTouched(key)
    const uploadId = `upload-${++this.#lastUpload}`
    const startedAtMs = this.#nowMs()
    this.uploads.set(uploadId, { key, metadata, parts: new Map(), startedAtMs })
    return uploadId
  }

  uploadPart(uploadId: string, partNumber: number, bytes: Buffer): string {
    const upload = this.uploads.get(uploadId)
    if (upload === undefined) throw noSuchUpload()
    this.#world.checker.storeTouched(upload.key)
    const etag = `${partNumber}-${bytes.length}`
    upload.parts.set(partNumber, { bytes, etag })
    return etag
  }

  completeUpload(uploadId: string, parts: readonly PartReceipt[]): void {
    const upload = this.uploads.get(uploadId)
    if (upload === undefined) throw noSuchUpload()
    const bodies = parts.map(({ partNumber }) => upload.parts.get(partNumber)?.bytes as Buffer)
    this.put(upload.key, Buffer.concat(bodies), upload.metadata)
    this.uploads.delete(uploadId)
  }

  remove(key: string): void {
    this.#world.checker.swept(key)
    this.objects.delete(key)
  }

  holds(key: string, expected: Expected): boolean {
    const found = this.objects.get(key)
    return (
      found?.bytes.length === expected.bytes && isDeepStrictEqual(found.metadata, expected.metadata)
    )
  }

  #nowMs(): number {
    return EPOCH_MS + Math.floor(this.#world.scheduler.nowMs)
  }
}

/** The object store of one process, with the rules of the product's own for what is settled how. */
export class SimObjectStore implements ObjectStore {
  readonly #world: World
  readonly #host: Host

  constructor(world: World, host: Host) {
    this.#world = world
    this.#host = host
  }

  async put(key: string, body: Uint8Array, metadata: ObjectMetadata): Promise<void> {
    const { bucket } = this.#world
    const bytes = Buffer.from(body)
    const made = await this.#call(`PUT ${key}`, () => bucket.put(key, bytes, metadata))
    if (made === 'made') return
    await this.#assertOurs(key, { bytes: bytes.length, metadata })
  }

  createUpload(key: string, metadata: ObjectMetadata): Promise<string> {
    return this.#call(`open upload ${key}`, () => this.#world.bucket.createUpload(key, metadata))
  }

  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: Uint8Array,
  ): Promise<PartReceipt> {
    const bytes = Buffer.from(body)
    const etag = await this.#call(`part ${partNumber} ${key}`, () =>
      this.#world.bucket.uploadPart(uploadId, partNumber, bytes),
    )
    return { partNumber, etag, checksum: etag }
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly PartReceipt[],
    expected: Expected,
  ): Promise<void> {
    const { bucket } = this.#world
    try {
      await this.#call(`complete ${key}`, () => bucket.completeUpload(uploadId, parts))
    } catch (error) {
      const look = () => bucket.holds(key, expected)
      if (!(await this.#call(`HEAD ${key}`, look))) throw error
    }
  }

  abortUpload(key: string, uploadId: string): Promise<void> {
    return this.#call(`abort upload ${key}`, () => {
      this.#world.bucket.uploads.delete(uploadId)
    })
  }

  async #assertOurs(key: string, expected: Expected): Promise<void> {
    const look = () => this.#world.bucket.holds(key, expected)
    if (await this.#call(`HEAD ${key}`, look)) return
    throw new SealError('SEAL_STORE_REFUSED', `${key} is there already`)
  }

  #call<T>(what: string, apply: () => T): Promise<T> {
    return this.#world.network.call(this.#host, 's3', what, apply)
  }
}

function noSuchUpload(): SealError {
  return new SealError('SEAL_STORE_REFUSED', 'no such upload')
}
