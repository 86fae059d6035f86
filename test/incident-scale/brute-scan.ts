import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { readFrameHeader } from '../../src/format/frame.ts'
import { footerBytesOf, parseFooter, TRAILER_BYTES } from '../../src/format/segment-footer.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/format/segment-header.ts'
import { decodeMetadata } from '../../src/format/segment-metadata.ts'

/** Where the frame of one message stands; `object` counts the objects of the scan. */
export interface FramePlace {
  readonly object: number
  readonly partition: number
  readonly offset: number
  readonly position: number
  readonly length: number
}

const NUMBERS = 5
const CHUNK_FRAMES = 65_536
const AT_ONCE = 6

/** Frames as numbers: as objects, twenty million of them would not fit. */
export class Frames {
  readonly #chunks: Float64Array[] = []
  count = 0

  add({ object, partition, offset, position, length }: FramePlace): void {
    const at = this.count++ % CHUNK_FRAMES
    if (at === 0) this.#chunks.push(new Float64Array(CHUNK_FRAMES * NUMBERS))
    this.#chunks.at(-1)?.set([object, partition, offset, position, length], at * NUMBERS)
  }

  *[Symbol.iterator](): Generator<FramePlace> {
    for (let i = 0; i < this.count; i++) {
      const chunk = this.#chunks[Math.floor(i / CHUNK_FRAMES)] as Float64Array
      const at = (i % CHUNK_FRAMES) * NUMBERS
      yield {
        object: chunk[at] as number,
        partition: chunk[at + 1] as number,
        offset: chunk[at + 2] as number,
        position: chunk[at + 3] as number,
        length: chunk[at + 4] as number,
      }
    }
  }
}

/**
 * What every DEK protects, by every byte of every object: Cassandra is not asked, nor the index in a
 * footer. Frames are walked one by one from the front of the object, whose metadata name the DEK.
 */
export class BruteScan {
  readonly byDek = new Map<string, Frames>()
  /** Number of an object by its key. */
  readonly objects = new Map<string, number>()
  frames = 0
  bytes = 0

  /** Reads every object whose key begins with `prefix`; `onObject` hears of each. */
  async run({ s3 }: StackEndpoints, prefix: string, onObject: () => void): Promise<void> {
    const { endpoint, region, accessKeyId, secretAccessKey, bucket } = s3
    const credentials = { accessKeyId, secretAccessKey }
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
    try {
      let token: string | undefined
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
        )
        token = page.NextContinuationToken
        const keys = (page.Contents ?? []).map(({ Key }) => Key as string).values()
        const work = async () => {
          for (const key of keys) {
            await this.#read(client, bucket, key)
            onObject()
          }
        }
        await Promise.all(Array.from({ length: AT_ONCE }, work))
      } while (token !== undefined)
    } finally {
      client.destroy()
    }
  }

  async #read(client: S3Client, bucket: string, key: string): Promise<void> {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? [])
    const { header } = decodeMetadata(answer.Metadata ?? {})
    const object = this.objects.size
    this.objects.set(key, object)
    this.bytes += bytes.length
    const frames = this.byDek.get(header.dekId) ?? new Frames()
    this.byDek.set(header.dekId, frames)
    const footerBytes = footerBytesOf(bytes.subarray(-TRAILER_BYTES))
    // Frames name their partition by its number in this table, and it stands nowhere else.
    const { sources } = parseFooter(bytes.subarray(-footerBytes), bytes.length)
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length - footerBytes; ) {
      const { frameBytes, offset, source } = readFrameHeader(bytes, at)
      const partition = sources[source]?.partition ?? -1
      frames.add({ object, partition, offset, position: at, length: frameBytes })
      at += frameBytes
      this.frames++
    }
  }
}
