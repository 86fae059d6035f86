import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PART_BYTES_MIN } from '../../src/limits.ts'
import type { ObjectReader } from '../../src/reader/object-reader.ts'
import type { ObjectMetadata, ObjectStore } from '../../src/segment/object-store.ts'

/** The two sides of one bucket, and what lets go of them. */
export interface BucketUnderTest {
  readonly store: ObjectStore
  readonly reader: ObjectReader
  close(): Promise<void>
}

const refused = expect.objectContaining({ code: 'SEAL_STORE_REFUSED', retryable: false })
const malformed = expect.objectContaining({ code: 'SEAL_MALFORMED' })
const changed = expect.objectContaining({ code: 'SEAL_OBJECT_CHANGED', retryable: false })
const missing = expect.objectContaining({ code: 'SEAL_OBJECT_MISSING' })

const newKey = () => `contract/${randomUUID()}/a%2Fb.seal`
const newMetadata = (): ObjectMetadata => ({ 'ss-v': '1', 'ss-u': randomUUID() })

/** What every {@link ObjectStore} and {@link ObjectReader} does. */
export function objectStoreContract(
  name: string,
  open: () => BucketUnderTest | Promise<BucketUnderTest>,
): void {
  describe(`${name} as an object store`, () => {
    let bucket: BucketUnderTest

    beforeAll(async () => {
      bucket = await open()
    })
    afterAll(() => bucket.close())

    const contentOf = async (key: string, bytes: number) =>
      (await bucket.reader.readRange(key, 0, bytes)).bytes

    describe('put and readRange', () => {
      it('give bytes and metadata of one version back', async () => {
        const [key, body, metadata] = [newKey(), randomBytes(500), newMetadata()]
        const before = Buffer.from(body)
        await bucket.store.put(key, body, metadata)
        const range = await bucket.reader.readRange(key, 100, 50)
        expect(range.bytes.equals(body.subarray(100, 150))).toBe(true)
        expect(range.metadata).toEqual(metadata)
        expect((await contentOf(key, 500)).equals(body)).toBe(true)
        expect(body.equals(before)).toBe(true)
      })

      it('take the same writing twice, and no other one', async () => {
        const [key, body, metadata] = [newKey(), randomBytes(500), newMetadata()]
        await bucket.store.put(key, body, metadata)
        await bucket.store.put(key, body, metadata)
        const other = bucket.store.put(key, randomBytes(500), newMetadata())
        await expect(other).rejects.toEqual(refused)
        expect((await contentOf(key, 500)).equals(body)).toBe(true)
      })

      it('refuse a range that the object does not hold in full', async () => {
        const key = newKey()
        await bucket.store.put(key, randomBytes(500), newMetadata())
        await expect(bucket.reader.readRange(key, 499, 1)).resolves.toBeDefined()
        await expect(bucket.reader.readRange(key, 499, 2)).rejects.toEqual(malformed)
        await expect(bucket.reader.readRange(key, 500, 1)).rejects.toEqual(malformed)
      })

      it('tell that an object is missing', async () => {
        await expect(bucket.reader.readRange(newKey(), 0, 1)).rejects.toEqual(missing)
      })
    })

    describe('readEnd', () => {
      it('gives the last bytes, the size of the whole and the metadata of that version', async () => {
        const [key, body, metadata] = [newKey(), randomBytes(500), newMetadata()]
        await bucket.store.put(key, body, metadata)
        const end = await bucket.reader.readEnd(key, 120)
        expect(end.bytes.equals(body.subarray(380))).toBe(true)
        expect(end.objectBytes).toBe(500)
        expect(end.metadata).toEqual(metadata)
      })

      it.each([500, 501, 5_000_000])('gives all of an object of 500 bytes for %i', async (max) => {
        const [key, body] = [newKey(), randomBytes(500)]
        await bucket.store.put(key, body, newMetadata())
        const end = await bucket.reader.readEnd(key, max)
        expect(end.bytes.equals(body)).toBe(true)
        expect(end.objectBytes).toBe(500)
      })

      it('refuses an empty object, and tells that one is missing', async () => {
        const key = newKey()
        await expect(bucket.reader.readEnd(key, 10)).rejects.toEqual(missing)
        await bucket.store.put(key, Buffer.alloc(0), newMetadata())
        await expect(bucket.reader.readEnd(key, 10)).rejects.toEqual(malformed)
      })
    })

    describe('replacing an object', () => {
      const etagOf = async (key: string) => (await bucket.reader.readEnd(key, 1)).etag
      const existing = async () => {
        const key = newKey()
        await bucket.store.put(key, randomBytes(500), newMetadata())
        return { key, etag: await etagOf(key) }
      }

      it('puts the new one in its place, bytes and metadata, and is done once', async () => {
        const { key, etag } = await existing()
        const [body, metadata] = [randomBytes(500), newMetadata()]
        await bucket.store.put(key, body, metadata, etag)
        await bucket.store.put(key, body, metadata, etag)
        const range = await bucket.reader.readRange(key, 0, 500)
        expect(range.bytes.equals(body)).toBe(true)
        expect(range.metadata).toEqual(metadata)
        expect(range.etag).toBe(await etagOf(key))
        expect(range.etag).not.toBe(etag)
      })

      it('takes place only while that very object is there', async () => {
        const { key, etag } = await existing()
        const theirs = randomBytes(500)
        await bucket.store.put(key, theirs, newMetadata(), etag)
        const late = bucket.store.put(key, randomBytes(500), newMetadata(), etag)
        await expect(late).rejects.toEqual(changed)
        expect((await contentOf(key, 500)).equals(theirs)).toBe(true)
        const nowhere = bucket.store.put(newKey(), theirs, newMetadata(), etag)
        await expect(nowhere).rejects.toEqual(changed)
      })

      it('by a multipart upload holds to the same', async () => {
        const { key, etag } = await existing()
        const metadata = newMetadata()
        const begin = async (body: Buffer) => {
          const uploadId = await bucket.store.createUpload(key, metadata)
          const receipt = await bucket.store.uploadPart(key, uploadId, 1, body)
          const expected = { bytes: body.length, metadata }
          return () => bucket.store.completeUpload(key, uploadId, [receipt], expected, etag)
        }
        const bodies = [randomBytes(PART_BYTES_MIN), randomBytes(PART_BYTES_MIN + 1)] as const
        const [first, second] = [await begin(bodies[0]), await begin(bodies[1])]
        await first()
        await first()
        await expect(second()).rejects.toEqual(changed)
        expect((await contentOf(key, PART_BYTES_MIN)).equals(bodies[0])).toBe(true)
      })

      it('lets one of many win', async () => {
        const { key, etag } = await existing()
        const bodies = Array.from({ length: 8 }, () => randomBytes(500))
        const tries = bodies.map((body) => bucket.store.put(key, body, newMetadata(), etag))
        const outcomes = await Promise.allSettled(tries)
        const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
        expect(won).toHaveLength(1)
        const winner = bodies[won[0] as number] as Buffer
        expect((await contentOf(key, 500)).equals(winner)).toBe(true)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toEqual(changed)
        }
      })
    })

    describe('a multipart upload', () => {
      const parts = [
        randomBytes(PART_BYTES_MIN),
        randomBytes(PART_BYTES_MIN),
        randomBytes(10),
      ] as const
      const body = Buffer.concat(parts)

      const begin = async () => {
        const [key, metadata] = [newKey(), newMetadata()]
        const uploadId = await bucket.store.createUpload(key, metadata)
        return { key, uploadId, expected: { bytes: body.length, metadata } }
      }

      it('joins its parts in their order, whichever came first, and is not seen before', async () => {
        const { key, uploadId, expected } = await begin()
        const send = (n: number) =>
          bucket.store.uploadPart(key, uploadId, n, parts[n - 1] as Buffer)
        const [third, first, second] = [await send(3), await send(1), await send(2)]
        expect([first.partNumber, second.partNumber, third.partNumber]).toEqual([1, 2, 3])
        await expect(bucket.reader.readRange(key, 0, 1)).rejects.toEqual(missing)
        await bucket.store.completeUpload(key, uploadId, [first, second, third], expected)
        expect((await contentOf(key, body.length)).equals(body)).toBe(true)
        const { metadata } = await bucket.reader.readRange(key, body.length - 1, 1)
        expect(metadata).toEqual(expected.metadata)
        // The answer may have got lost: asking again settles it.
        await bucket.store.completeUpload(key, uploadId, [first, second, third], expected)
      })

      it('replaces a part that is sent again', async () => {
        const { key, uploadId, expected } = await begin()
        await bucket.store.uploadPart(key, uploadId, 1, randomBytes(PART_BYTES_MIN))
        const receipt = await bucket.store.uploadPart(key, uploadId, 1, parts[0])
        const { metadata } = expected
        const bytes = parts[0].length
        await bucket.store.completeUpload(key, uploadId, [receipt], { bytes, metadata })
        expect((await contentOf(key, bytes)).equals(parts[0])).toBe(true)
      })

      it('leaves nothing when it is aborted, twice if need be', async () => {
        const { key, uploadId, expected } = await begin()
        const receipt = await bucket.store.uploadPart(key, uploadId, 1, parts[0])
        await bucket.store.abortUpload(key, uploadId)
        await bucket.store.abortUpload(key, uploadId)
        await expect(bucket.reader.readRange(key, 0, 1)).rejects.toEqual(missing)
        // A small body: a server that refuses a large one may close before the client has sent it.
        const sending = bucket.store.uploadPart(key, uploadId, 2, randomBytes(20))
        await expect(sending).rejects.toEqual(refused)
        const completing = bucket.store.completeUpload(key, uploadId, [receipt], expected)
        await expect(completing).rejects.toEqual(refused)
      })

      it('does not overwrite an object that somebody else has put there', async () => {
        const { key, uploadId, expected } = await begin()
        const theirs = randomBytes(20)
        await bucket.store.put(key, theirs, newMetadata())
        const receipt = await bucket.store.uploadPart(key, uploadId, 1, parts[0])
        const completing = bucket.store.completeUpload(key, uploadId, [receipt], expected)
        await expect(completing).rejects.toEqual(refused)
        expect((await contentOf(key, 20)).equals(theirs)).toBe(true)
        await bucket.store.abortUpload(key, uploadId)
      })
    })
  })
}
