import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { decodeMetadata } from '../../src/format/segment-metadata.ts'
import { inspectSegment } from '../../src/reader/segment-inspection.ts'
import { FakeKms } from '../support/fake-kms.ts'
import { type Answer, HttpBucket } from '../support/http-bucket.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { messages } from '../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../support/sealed-segment.ts'

const MIB = 1024 * 1024
const TIMEOUT_MS = 1_000
const store = new MemoryObjectStore()
const bucket = new HttpBucket(store)
let reader: S3ObjectReader
let elsewhere: HttpBucket
let segment: SealedSegment

beforeAll(async () => {
  const place = await bucket.start()
  reader = new S3ObjectReader({ ...place, forcePathStyle: true, requestTimeoutMs: TIMEOUT_MS })
  elsewhere = new HttpBucket(store)
  segment = await sealSegment(await makeDek(new FakeKms(KEK_ID)), store, messages(3))
})

afterAll(async () => {
  await reader.close()
  await Promise.all([bucket.stop(), elsewhere.stop()])
})

beforeEach(() => {
  bucket.answer = null
})

const readTen = () => reader.readRange(segment.objectKey, 0, 10)

/** Sends megabytes until nobody takes them. */
const endless: Answer = (_request, response) => {
  response.writeHead(206)
  const send = () => {
    if (!response.destroyed && response.write(Buffer.alloc(MIB))) setImmediate(send)
    else if (!response.destroyed) response.once('drain', send)
  }
  send()
}

const wholeObject: Answer = (_request, response) => {
  response.writeHead(200, { 'content-length': segment.bytes.length })
  response.end(segment.bytes)
}

const sleepy: Answer = (_request, response) => {
  response.writeHead(206, { 'content-length': 10 })
  response.write('a')
}

const dripping: Answer = (_request, response) => {
  response.writeHead(206, { 'content-length': 10 })
  const timer = setInterval(() => response.write('a'), TIMEOUT_MS / 4)
  response.once('close', () => clearInterval(timer))
}

const cutOff: Answer = (_request, response) => {
  response.writeHead(206, { 'content-length': 10 })
  response.write('abc', () => response.destroy())
}

const longHeaders: Answer = (_request, response) => {
  response.setHeader('x-amz-meta-ss-kek', 'k'.repeat(20_000))
  response.end('0123456789')
}

const page: Answer = (_request, response) => {
  response.writeHead(403, { 'content-type': 'text/html' })
  response.end('<html>\u001b[2J sign in</html>')
}

describe('a store', () => {
  it('that is honest is read, so that what is refused is refused for its answer', async () => {
    expect((await readTen()).bytes).toEqual(segment.bytes.subarray(0, 10))
    const { footer } = await inspectSegment(reader, segment.objectKey)
    expect(footer.frames).toHaveLength(3)
  })

  it.each<[string, string, boolean, Answer]>([
    ['ignores the range', 'SEAL_MALFORMED', false, wholeObject],
    ['never ends', 'SEAL_MALFORMED', false, endless],
    ['goes to sleep in the middle', 'SEAL_STORE_UNAVAILABLE', true, sleepy],
    ['sends a byte now and then', 'SEAL_STORE_UNAVAILABLE', true, dripping],
    ['hangs up in the middle', 'SEAL_STORE_UNAVAILABLE', true, cutOff],
    ['sends 20 kB of headers', 'SEAL_STORE_UNAVAILABLE', true, longHeaders],
    ['shows a page', 'SEAL_STORE_REFUSED', false, page],
  ])('that %s ends in %s, with bounded memory and time', async (_what, code, retryable, answer) => {
    bucket.answer = answer
    const startedAtMs = performance.now()
    const before = process.memoryUsage()
    await expect(readTen()).rejects.toMatchObject({ code, retryable })
    expect(performance.now() - startedAtMs).toBeLessThan(5 * TIMEOUT_MS)
    const grown = process.memoryUsage().arrayBuffers - before.arrayBuffers
    expect(grown).toBeLessThan(64 * MIB)
  })

  it('that points to another place is not followed', async () => {
    const { endpoint } = await elsewhere.start()
    bucket.answer = (request, response) => {
      response.writeHead(307, { location: endpoint + request.url })
      response.end()
    }
    await expect(readTen()).rejects.toMatchObject({ name: 'SealError' })
    expect(elsewhere.requests).toBe(0)
  })

  it('that sends a name of the metadata twice has sent no segment', async () => {
    bucket.answer = (_request, response) => {
      const pairs = Object.entries(segment.metadata).map(([name, value]) => [
        `x-amz-meta-${name}`,
        value,
      ])
      response.writeHead(206, [...pairs, ['x-amz-meta-ss-kek', KEK_ID]].flat())
      response.end('0123456789')
    }
    const { metadata } = await readTen()
    expect(() => decodeMetadata(metadata)).toThrow(
      expect.objectContaining({ code: 'SEAL_MALFORMED' }),
    )
  })

  it('that sends names in upper case has sent what S3 sends', async () => {
    bucket.answer = (_request, response) => {
      for (const [name, value] of Object.entries(segment.metadata)) {
        response.setHeader(`X-Amz-Meta-${name.toUpperCase()}`, value)
      }
      response.writeHead(206)
      response.end('0123456789')
    }
    expect(decodeMetadata((await readTen()).metadata).keyDomain).toBe('orders')
  })
})
