import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import { type Clock, systemClock } from '../../src/clock.ts'
import { SealError } from '../../src/errors.ts'
import type { ObjectEnd, ObjectRange, ObjectReader } from '../../src/reader/object-reader.ts'
import type { ObjectMetadata, ObjectStore, PartReceipt } from '../../src/segment/object-store.ts'

/** An object as it lies there. */
export interface StoredObject {
  readonly bytes: Buffer
  readonly metadata: ObjectMetadata
  readonly modifiedAtMs?: number
}

interface Upload {
  readonly key: string
  readonly startedAtMs: number
  readonly metadata: ObjectMetadata
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>
}

/** A bucket in memory, for writers and readers; the contract suite runs against it and a real one. */
export class MemoryObjectStore implements ObjectStore, ObjectReader {
  /** What tells the age of objects and uploads. */
  readonly clock: Pick<Clock, 'nowMs'>
  readonly objects = new Map<string, StoredObject>()
  readonly uploads = new Map<string, Upload>()
  /** Bodies as they came in, those of refused calls too. */
  readonly received: Buffer[] = []
  /** Ranges that were read. */
  readonly reads: { key: string; position: number; length: number }[] = []
  /** Thrown by the writing calls to come, one each. */
  readonly failures: Error[] = []
  /** Gives older versions, and the current one by its id; set by the inventory of this store. */
  versionOf: (key: string, versionId: string) => StoredObject | undefined = () => undefined

  constructor(clock: Pick<Clock, 'nowMs'> = systemClock) {
    this.clock = clock
  }

  async put(key: string, body: Uint8Array, metadata: ObjectMetadata): Promise<void> {
    const bytes = this.#receive(body)
    this.#create(key, { bytes, metadata })
  }

  async createUpload(key: string, metadata: ObjectMetadata): Promise<string> {
    const uploadId = randomUUID()
    const startedAtMs = this.clock.nowMs()
    this.uploads.set(uploadId, { key, metadata, startedAtMs, parts: new Map() })
    return uploadId
  }

  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: Uint8Array,
  ): Promise<PartReceipt> {
    const bytes = this.#receive(body)
    const upload = this.uploads.get(uploadId)
    if (upload?.key !== key) throw refused(`no upload of ${key}`)
    const checksum = String(crc32(bytes))
    upload.parts.set(partNumber, { bytes, etag: checksum })
    return { partNumber, etag: checksum, checksum }
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly PartReceipt[],
    expected: { readonly bytes: number; readonly metadata: ObjectMetadata },
  ): Promise<void> {
    const upload = this.uploads.get(uploadId)
    if (upload?.key !== key) {
      if (this.#holds(key, expected)) return
      throw refused(`no upload of ${key}`)
    }
    const bodies = parts.map(({ partNumber, etag }) => {
      const part = upload.parts.get(partNumber)
      if (part?.etag !== etag) throw refused(`part ${partNumber} of ${key} is another`)
      return part.bytes
    })
    this.#create(key, { bytes: Buffer.concat(bodies), metadata: upload.metadata })
    this.uploads.delete(uploadId)
  }

  async abortUpload(_key: string, uploadId: string): Promise<void> {
    this.uploads.delete(uploadId)
  }

  async readRange(
    key: string,
    position: number,
    length: number,
    versionId: string | null = null,
  ): Promise<ObjectRange> {
    this.reads.push({ key, position, length })
    const object = this.#find(key, versionId)
    if (object === undefined) throw new SealError('SEAL_OBJECT_MISSING', `no object ${key}`)
    const bytes = Buffer.from(object.bytes.subarray(position, position + length))
    if (bytes.length < length) throw new SealError('SEAL_MALFORMED', `${key} ends before that`)
    return { bytes, metadata: object.metadata }
  }

  async readEnd(
    key: string,
    bytesMax: number,
    versionId: string | null = null,
  ): Promise<ObjectEnd> {
    const objectBytes = this.#find(key, versionId)?.bytes.length
    if (objectBytes === 0) throw new SealError('SEAL_MALFORMED', `${key} is an empty object`)
    const length = Math.min(bytesMax, objectBytes ?? bytesMax)
    const range = await this.readRange(key, (objectBytes ?? length) - length, length, versionId)
    return { ...range, objectBytes: objectBytes ?? length }
  }

  async close(): Promise<void> {}

  #find(key: string, versionId: string | null): StoredObject | undefined {
    return versionId === null ? this.objects.get(key) : this.versionOf(key, versionId)
  }

  #receive(body: Uint8Array): Buffer {
    const bytes = Buffer.from(body)
    this.received.push(bytes)
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    return bytes
  }

  #create(key: string, object: StoredObject): void {
    const isThere = this.objects.has(key)
    if (isThere && !this.#holds(key, { bytes: object.bytes.length, metadata: object.metadata })) {
      throw refused(`${key} is there already`)
    }
    const modifiedAtMs = this.clock.nowMs()
    this.objects.set(key, this.objects.get(key) ?? { ...object, modifiedAtMs })
  }

  #holds(key: string, expected: { bytes: number; metadata: ObjectMetadata }): boolean {
    const found = this.objects.get(key)
    return (
      found?.bytes.length === expected.bytes && isDeepStrictEqual(found.metadata, expected.metadata)
    )
  }
}

function refused(message: string): SealError {
  return new SealError('SEAL_STORE_REFUSED', message)
}
