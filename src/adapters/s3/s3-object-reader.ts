import type { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { SealError } from '../../errors.ts'
import type { ObjectEnd, ObjectRange, ObjectReader } from '../../reader/object-reader.ts'
import { DirectRequests, type WantedRange } from './direct-requests.ts'
import { createS3Client, METADATA_PREFIX, placeOfBucket, type S3Options } from './s3-client.ts'
import { s3Error } from './s3-errors.ts'

/** Readers hear of a failure only when trying again did not help. The first try is made past the SDK. */
const ATTEMPTS_MAX = 2

/** The reading side of the bucket. Needs s3:GetObject, and s3:GetObjectVersion for older versions. */
export class S3ObjectReader implements ObjectReader {
  readonly #client: S3Client
  readonly #direct: DirectRequests
  readonly #options: S3Options

  constructor(options: S3Options) {
    this.#client = createS3Client(options, ATTEMPTS_MAX)
    this.#direct = new DirectRequests(this.#client, options)
    this.#options = options
  }

  async readRange(
    key: string,
    position: number,
    length: number,
    versionId: string | null = null,
    signal?: AbortSignal,
  ): Promise<ObjectRange> {
    const range = `${position}-${position + length - 1}`
    const unfit = `ends before byte ${position}`
    const place = { key, versionId, signal }
    const { bytes, metadata, etag } = await this.#get(place, range, length, unfit)
    if (bytes.length === length) return { bytes, metadata, etag }
    throw new SealError('SEAL_MALFORMED', `${key} ends before byte ${position + length}`)
  }

  async readEnd(
    key: string,
    bytesMax: number,
    versionId: string | null = null,
  ): Promise<ObjectEnd> {
    const isEmpty = 'is an empty object'
    const [place, range] = [{ key, versionId }, `-${bytesMax}`]
    const found = await this.#get(place, range, bytesMax, isEmpty)
    const { bytes, metadata, etag, contentRange } = found
    if (bytes.length === 0) throw new SealError('SEAL_MALFORMED', `${key} ${isEmpty}`)
    // Without a Content-Range the answer is the whole object.
    const objectBytes = Number(/\/(\d+)$/.exec(contentRange)?.[1] ?? bytes.length)
    return { bytes, metadata, etag, objectBytes }
  }

  async close(): Promise<void> {
    await this.#direct.close()
    this.#client.destroy()
  }

  /** `unfit` completes the sentence when the object has no byte in the range. */
  async #get(
    { key, versionId, signal }: ObjectPlace,
    range: string,
    bytesMax: number,
    unfit: string,
  ) {
    try {
      const answer =
        (await this.#askDirectly({ key, versionId, range, signal })) ??
        (await this.#askSdk({ key, versionId, range, signal }))
      const { lengthBytes = bytesMax, body, ...described } = answer
      const roomBytes = Math.min(lengthBytes, bytesMax)
      return { bytes: await this.#collect(key, body, roomBytes, signal), ...described }
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof Error && error.name === 'InvalidRange') {
        throw new SealError('SEAL_MALFORMED', `${key} ${unfit}`)
      }
      throw s3Error(error, `reading ${key}`, placeOfBucket(this.#options))
    }
  }

  async #askDirectly(wanted: WantedRange): Promise<Answer | null> {
    const body = await this.#direct.get(wanted)
    if (body === null) return null
    const { headers } = body
    const metadata: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      if (name.startsWith(METADATA_PREFIX))
        metadata[name.slice(METADATA_PREFIX.length)] = String(value)
    }
    const length = headers['content-length']
    return {
      ...{ body, metadata, etag: headers.etag ?? '' },
      contentRange: headers['content-range'] ?? '',
      lengthBytes: length === undefined ? undefined : Number(length),
    }
  }

  async #askSdk({ key, versionId, range, signal }: WantedRange): Promise<Answer> {
    signal?.throwIfAborted()
    const command = new GetObjectCommand({
      ...{ Bucket: this.#options.bucket, Key: key, Range: `bytes=${range}` },
      ...(versionId === null ? {} : { VersionId: versionId }),
    })
    const options = signal === undefined ? {} : { abortSignal: signal }
    const answer = await this.#client.send(command, options)
    const { Metadata: metadata = {}, ContentRange: contentRange = '', ETag: etag = '' } = answer
    const body = answer.Body as Readable | undefined
    return { body, metadata, etag, contentRange, lengthBytes: answer.ContentLength }
  }

  /**
   * A server that ignores the range, never ends or goes to sleep must not keep the reader. The bytes
   * go to their place as they come, so that a large frame is in memory once and not twice.
   */
  async #collect(
    key: string,
    body: Readable | undefined,
    roomBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(roomBytes)
    if (body === undefined) return bytes.subarray(0, 0)
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    let size = 0
    const { requestTimeoutMs } = this.#options
    const late = () => body.destroy(new Error(`no end within ${requestTimeoutMs} ms`))
    const stop = () => body.destroy(new Error('no longer wanted'))
    const timer = setTimeout(late, requestTimeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    body.on('data', (chunk: Buffer) => {
      if (size + chunk.length > roomBytes) {
        const message = `${key}: the store sends more than was asked for`
        body.destroy(new SealError('SEAL_MALFORMED', message))
        return
      }
      bytes.set(chunk, size)
      size += chunk.length
    })
    body.once('end', () => resolve(size))
    body.once('error', reject)
    body.once('close', () => reject(new Error('closed before its end')))
    if (body.destroyed) reject(new Error('closed before it was read'))
    try {
      return bytes.subarray(0, await promise)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }
}

/** What the store says of an object, and the bytes to come. */
interface Answer {
  readonly body: Readable | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly etag: string
  readonly contentRange: string
  readonly lengthBytes: number | undefined
}

/** Which object, in which version, and until when it is wanted. */
interface ObjectPlace {
  readonly key: string
  readonly versionId: string | null
  readonly signal?: AbortSignal | undefined
}
