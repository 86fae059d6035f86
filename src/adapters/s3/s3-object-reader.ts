import type { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3'
import { SealError } from '../../errors.ts'
import type { ObjectEnd, ObjectRange, ObjectReader } from '../../reader/object-reader.ts'
import { createS3Client, placeOfBucket, type S3Options } from './s3-client.ts'
import { s3Error } from './s3-errors.ts'

/** Readers hear of a failure only when trying again did not help. */
const ATTEMPTS_MAX = 3

/** The reading side of the bucket. Needs s3:GetObject, and s3:GetObjectVersion for older versions. */
export class S3ObjectReader implements ObjectReader {
  readonly #client: S3Client
  readonly #options: S3Options

  constructor(options: S3Options) {
    this.#client = createS3Client(options, ATTEMPTS_MAX)
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
      const answer: GetObjectCommandOutput = await this.#client.send(
        new GetObjectCommand({
          Bucket: this.#options.bucket,
          Key: key,
          Range: `bytes=${range}`,
          ...(versionId === null ? {} : { VersionId: versionId }),
        }),
        ...(signal === undefined ? [] : [{ abortSignal: signal }]),
      )
      const roomBytes = Math.min(answer.ContentLength ?? bytesMax, bytesMax)
      const bytes = await this.#collect(key, answer.Body as Readable | undefined, roomBytes, signal)
      const { Metadata: metadata = {}, ContentRange: contentRange = '', ETag: etag = '' } = answer
      return { bytes, metadata, etag, contentRange }
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof Error && error.name === 'InvalidRange') {
        throw new SealError('SEAL_MALFORMED', `${key} ${unfit}`)
      }
      throw s3Error(error, `reading ${key}`, placeOfBucket(this.#options))
    }
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
    let size = 0
    const { requestTimeoutMs } = this.#options
    const late = () => body?.destroy(new Error(`no end within ${requestTimeoutMs} ms`))
    const stop = () => body?.destroy(new Error('no longer wanted'))
    const timer = setTimeout(late, requestTimeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      for await (const chunk of body ?? []) {
        const { length } = chunk as Buffer
        if (size + length > roomBytes) {
          throw new SealError('SEAL_MALFORMED', `${key}: the store sends more than was asked for`)
        }
        bytes.set(chunk as Buffer, size)
        size += length
      }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
    return bytes.subarray(0, size)
  }
}

/** Which object, in which version, and until when it is wanted. */
interface ObjectPlace {
  readonly key: string
  readonly versionId: string | null
  readonly signal?: AbortSignal | undefined
}
