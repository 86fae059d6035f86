import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { SealError } from '../../errors.ts'
import type { ObjectRange, ObjectReader } from '../../reader/object-reader.ts'
import { createS3Client, placeOfBucket, type S3Options } from './s3-client.ts'
import { s3Error } from './s3-errors.ts'

/** The reading side of the bucket. Needs s3:GetObject and nothing else. */
export class S3ObjectReader implements ObjectReader {
  readonly #client: S3Client
  readonly #options: S3Options

  constructor(options: S3Options) {
    this.#client = createS3Client(options)
    this.#options = options
  }

  async readRange(key: string, position: number, length: number): Promise<ObjectRange> {
    const where = placeOfBucket(this.#options)
    try {
      const { Body, Metadata } = await this.#client.send(
        new GetObjectCommand({
          Bucket: this.#options.bucket,
          Key: key,
          Range: `bytes=${position}-${position + length - 1}`,
        }),
      )
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
      if (bytes.length !== length) {
        throw new SealError(
          'SEAL_MALFORMED',
          `${key} ends before byte ${position + length}, which a reference names`,
        )
      }
      return { bytes, metadata: Metadata ?? {} }
    } catch (error) {
      if (error instanceof Error && error.name === 'InvalidRange') {
        throw new SealError(
          'SEAL_MALFORMED',
          `${key} ends before byte ${position}, which a reference names`,
        )
      }
      throw s3Error(error, `reading ${key}`, where)
    }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }
}
