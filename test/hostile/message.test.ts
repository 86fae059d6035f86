import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import { parcelBytes } from '../../src/format/parcel.ts'
import { domainOfBy } from '../../src/keys/key-domain.ts'
import { nextSlice } from '../../src/pipeline/message-slice.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import { inspectSegment } from '../../src/reader/segment-inspection.ts'
import { emptyDirectory } from '../support/empty-directory.ts'
import { FakeKms } from '../support/fake-kms.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { comparable, message } from '../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../support/sealed-segment.ts'

const CAP_BYTES = 64 * 1024
const kms = new FakeKms(KEK_ID)
const store = new MemoryObjectStore()
const bytes = (text: string) => Buffer.from(text)
const headers = (...names: string[]) => names.map((name) => [bytes(name), bytes(name)] as const)

const MESSAGES: Readonly<Record<string, Partial<Message>>> = {
  'a null key': { key: null },
  'a null value': { value: null },
  'an empty value': { value: Buffer.alloc(0) },
  'nothing at all': { key: null, value: null },
  '0 bytes throughout': { key: Buffer.alloc(0), value: Buffer.alloc(0) },
  '1,000 headers': { headers: headers(...Array.from({ length: 1_000 }, (_, i) => `${i % 9}`)) },
  'a header twice': { headers: headers('a', 'b', 'a') },
  'a header with a null value': { headers: [[bytes('a'), null]] },
  'a header name that is no UTF-8': { headers: [[Buffer.from([0xff, 0xfe]), bytes('x')]] },
  'headers of the prototype': { headers: headers('__proto__', 'constructor', 'toString') },
  '10 before 9': { headers: headers('10', '9', '1') },
  'a negative time': { timestampMs: -1n },
  'the earliest time': { timestampMs: -(2n ** 63n) },
  'the latest time': { timestampMs: 2n ** 63n - 1n },
  'the time of the broker': { timestampType: 'append' },
  'the last offset': { partition: 1, offset: Number.MAX_SAFE_INTEGER },
  'an offset beyond 2^32': { partition: 2, offset: 2 ** 32 + 1 },
  'a partition beyond 32,767': { partition: 32_768 },
  'the last partition': { partition: 2 ** 31 - 1 },
  'a topic of 249 characters': { topic: 't'.repeat(249) },
  'a topic of dots and underscores': { topic: 'a._-.b' },
}

const options = { allowedKekIds: [KEK_ID], entriesMax: 1, ttlMs: 1_000 }
const reader = new SealedReader(
  { objects: store, kms, directory: emptyDirectory, clock: new ManualClock() },
  options,
)

afterAll(() => reader.close())

describe('a message with', () => {
  const sent = Object.entries(MESSAGES).map(
    ([what, over], offset) => [what, message({ offset, ...over })] as const,
  )
  let segment: SealedSegment

  beforeAll(async () => {
    segment = await sealSegment(
      await makeDek(kms),
      store,
      sent.map(([, one]) => one),
    )
  })

  it.each(sent.map(([what, one], i) => [what, one, i] as const))(
    '%s comes back as it was',
    async (_what, one, i) => {
      const opened = await reader.openReference(segment.references[i] as never)
      expect(comparable(opened)).toEqual(comparable(one))
      const { topic, partition, offset } = one
      expect(opened).toMatchObject({ topic, partition, offset })
    },
  )

  it('is in the index of its segment by its own coordinates', async () => {
    const { footer } = await inspectSegment(store, segment.objectKey)
    const found = footer.frames.map(({ source, offset }) => ({ ...footer.sources[source], offset }))
    expect(found).toMatchObject(
      sent.map(([, { topic, partition, offset }]) => ({ topic, partition, offset })),
    )
  })
})

describe('a parcel of', () => {
  const overhead = parcelBytes(message({ value: Buffer.alloc(0) }))
  const settings = { messageBytesMax: CAP_BYTES, domainOf: domainOfBy({ by: 'topic' }) }
  const sliceOf = (over: Partial<Message>) => nextSlice([message(over)].values(), settings)

  it.each([
    ['1 byte below message.bytesMax', -1],
    ['message.bytesMax', 0],
  ])('%s is sealed', (_what, more) => {
    const slice = sliceOf({ value: Buffer.alloc(CAP_BYTES - overhead + more) })
    expect(slice?.parcelBytes).toBe(CAP_BYTES + more)
    expect(slice?.refused).toBeNull()
  })

  it.each<[string, Partial<Message>]>([
    ['1 byte more', { value: Buffer.alloc(CAP_BYTES - overhead + 1) }],
    ['10 MiB', { value: Buffer.alloc(10 * 1024 * 1024) }],
    ['headers alone that are too much', { headers: headers(...Array(4_000).fill('0123456789')) }],
    ['65,536 headers', { headers: headers(...Array(65_536).fill('')) }],
    ['a header name of 65,536 bytes', { headers: headers('n'.repeat(65_536)) }],
  ])('%s is refused, and nothing of it packed', (_what, over) => {
    const slice = sliceOf(over)
    expect(slice?.refused?.error).toMatchObject({ code: 'SEAL_MESSAGE_UNSEALABLE' })
    expect(slice?.frameBytes).toEqual([])
  })
})

describe('a key domain by header is refused', () => {
  const domainOf = domainOfBy({ by: 'header', header: 'tenant', fallback: null })

  it.each<[string, Message['headers']]>([
    ['without the header', []],
    ['with the header twice', headers('tenant', 'tenant')],
    ['of a null value', [[bytes('tenant'), null]]],
    ['of an empty value', [[bytes('tenant'), Buffer.alloc(0)]]],
    ['of 81 bytes', [[bytes('tenant'), Buffer.alloc(81, 't')]]],
    ['that climbs up', [[bytes('tenant'), bytes('..')]]],
    ['that is no UTF-8', [[bytes('tenant'), Buffer.from([0xff])]]],
    ['that steers terminals', [[bytes('tenant'), bytes('a\u001b[2J')]]],
  ])('%s', (_what, given) => {
    expect(domainOf(message({ headers: given }))).toMatchObject({ code: 'SEAL_MESSAGE_UNSEALABLE' })
  })
})
