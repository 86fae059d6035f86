import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import { type Clock, systemClock } from '../../src/clock.ts'
import { SealError } from '../../src/errors.ts'
import type { ObjectEnd, ObjectRange, ObjectReader } from '../../src/reader/object-reader.ts'
import type {
  ExpectedObject,
  ObjectMetadata,
  ObjectStore,
  PartReceipt,
} from '../../src/segment/object-store.ts'

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

/** Differs from writing to writing, as the token in the metadata does. */
function etagOf({ bytes, metadata }: StoredObject): string {
  return `"${crc32(bytes)}-${crc32(JSON.stringify(metadata))}"`
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
  /** Hears of objects that others take the place of. */
  onReplaced: (key: string, object: StoredObject) => void = () => {}

  constructor(clock: Pick<Clock, 'nowMs'> = systemClock) {
    this.clock = clock
  }

  async put(
    key: string,
    body: Uint8Array,
    metadata: ObjectMetadata,
    replaces?: string,
  ): Promise<void> {
    const bytes = this.#receive(body)
    this.#write(key, { bytes, metadata }, replaces)
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
    expected: ExpectedObject,
    replaces?: string,
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
    this.#write(key, { bytes: Buffer.concat(bodies), metadata: upload.metadata }, replaces)
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
    signal?: AbortSignal,
  ): Promise<ObjectRange> {
    signal?.throwIfAborted()
    this.reads.push({ key, position, length })
    const object = this.#find(key, versionId)
    if (object === undefined) throw new SealError('SEAL_OBJECT_MISSING', `no object ${key}`)
    const bytes = Buffer.from(object.bytes.subarray(position, position + length))
    if (bytes.length < length) throw new SealError('SEAL_MALFORMED', `${key} ends before that`)
    return { bytes, metadata: object.metadata, etag: etagOf(object) }
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

  #write(key: string, object: StoredObject, replaces: string | undefined): void {
    if (this.#holds(key, { bytes: object.bytes.length, metadata: object.metadata })) return
    const found = this.objects.get(key)
    if (replaces === undefined && found !== undefined) throw refused(`${key} is there already`)
    if (replaces !== undefined && (found === undefined || etagOf(found) !== replaces)) {
      throw new SealError('SEAL_OBJECT_CHANGED', `${key} is another by now`)
    }
    if (found !== undefined) this.onReplaced(key, found)
    this.objects.set(key, { ...object, modifiedAtMs: this.clock.nowMs() })
  }

  #holds(key: string, expected: ExpectedObject): boolean {
    const found = this.objects.get(key)
    return (
      found?.bytes.length === expected.bytes && isDeepStrictEqual(found.metadata, expected.metadata)
    )
  }
}

function refused(message: string): SealError {
  return new SealError('SEAL_STORE_REFUSED', message)
}
