import { randomBytes, randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import { FRAME_OVERHEAD_BYTES } from '../../../src/format/frame.ts'
import type { Message } from '../../../src/format/message.ts'
import { FooterBuilder, joinFooter } from '../../../src/format/segment-footer.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { inspectSegment, type SegmentInspection } from '../../../src/reader/segment-inspection.ts'
import { summarizeSegment } from '../../../src/reader/segment-summary.ts'
import { putTogether, takeApart, withFlippedBit } from '../../support/altered-segment.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { message, messages } from '../../support/messages.ts'
import {
  CLUSTER_ID,
  KEK_ID,
  makeDek,
  type SealedSegment,
  sealSegment,
} from '../../support/sealed-segment.ts'

const MESSAGES: readonly Message[] = [
  message({ offset: 5, value: Buffer.alloc(10, 'a') }),
  message({ offset: 9, value: Buffer.alloc(20, 'a') }),
  message({ topic: 'payments', partition: 7, offset: 2 ** 40, value: Buffer.alloc(400, 'a') }),
]
const KIB = 1024
let dek: Dek
let store: MemoryObjectStore
let segment: SealedSegment

beforeAll(async () => {
  dek = await makeDek(new FakeKms(KEK_ID))
})

beforeEach(async () => {
  store = new MemoryObjectStore()
  segment = await sealSegment(dek, store, MESSAGES)
})

function inspect(): Promise<SegmentInspection> {
  return inspectSegment(store, segment.objectKey)
}

/** The code that looking at these bytes ends in, or 'fine'. Its message is one line on the object. */
async function outcomeOf(
  bytes: Buffer,
  metadata: Readonly<Record<string, string>> = segment.metadata,
): Promise<ErrorCode | 'fine'> {
  store.objects.set(segment.objectKey, { bytes, metadata })
  try {
    await inspect()
    return 'fine'
  } catch (error) {
    const { code, message } = error as { code: ErrorCode; message: string }
    expect(message.startsWith(segment.objectKey)).toBe(true)
    expect(message).not.toContain('\n')
    return code
  }
}

describe('looking at a segment without a key', () => {
  it('tells everything but the content', async () => {
    const inspection = await inspect()
    const [first, second, third] = segment.references.map(({ length }) => length) as [
      number,
      number,
      number,
    ]
    expect(summarizeSegment(inspection)).toEqual({
      object: segment.objectKey,
      bytes: segment.bytes.length,
      ...{ formatVersion: 1, suite: 1, segmentId: segment.segmentId, generation: 1 },
      createdAtMs: Date.UTC(2026, 0, 2, 3, 4),
      dekId: dek.record.dekId,
      kekId: dek.record.kekId,
      ...{ keyDomain: 'orders', clusterId: CLUSTER_ID, frames: 3 },
      frameBytes: { min: first, median: second, max: third },
      footerBytes: inspection.footerBytes,
      overheadBytesPerMessage:
        Math.round((10 * (160 + inspection.footerBytes + 3 * FRAME_OVERHEAD_BYTES)) / 3) / 10,
      sources: [
        { topic: 'orders', partition: 0, frames: 2, firstOffset: 5, lastOffset: 9 },
        { topic: 'payments', partition: 7, frames: 1, firstOffset: 2 ** 40, lastOffset: 2 ** 40 },
      ],
    })
    expect(inspection.footer.frames.map(({ position }) => position)).toEqual(
      segment.references.map(({ position }) => position),
    )
  })

  it('counts a source that no frame is of', async () => {
    const pieces = takeApart(segment.bytes)
    const builder = new FooterBuilder()
    for (const [seq, { length, offset }] of segment.references.entries()) {
      builder.add(length, seq, 0, offset)
    }
    const source = { clusterId: CLUSTER_ID, topic: 'orders' }
    const sources = [0, 1].map((partition) => ({ ...source, partition }))
    const covered = Buffer.from(builder.covered(sources, pieces.front.length))
    store.objects.set(segment.objectKey, {
      bytes: putTogether({ ...pieces, covered }),
      metadata: segment.metadata,
    })
    expect(summarizeSegment(await inspect()).sources[1]).toEqual({
      ...{ topic: 'orders', partition: 1, frames: 0, firstOffset: null, lastOffset: null },
    })
  })

  it('reads a small object at once, and of a larger one the header and the footer', async () => {
    await inspect()
    expect(store.reads).toHaveLength(1)
    const large = messages(4, { value: randomBytes(300 * KIB) })
    segment = await sealSegment(dek, store, large)
    store.reads.length = 0
    const { footerBytes, footer } = await inspect()
    expect(footer.frames).toHaveLength(4)
    expect(footerBytes).toBeLessThan(200)
    expect(store.reads.map(({ position, length }) => [position, length])).toEqual([
      [segment.bytes.length - 256 * KIB, 256 * KIB],
      [0, 160],
    ])
  })

  it('asks once more when the footer is longer than guessed, for what is missing alone', async () => {
    const many = Array.from({ length: 70_000 }, (_, i) => message({ offset: i, value: null }))
    segment = await sealSegment(dek, store, many)
    store.reads.length = 0
    const { footerBytes, footer } = await inspect()
    expect(footer.frames).toHaveLength(70_000)
    expect(footerBytes).toBeGreaterThan(256 * KIB)
    expect(store.reads.map(({ length }) => length)).toEqual([
      256 * KIB,
      160,
      footerBytes - 256 * KIB,
    ])
  })
})

describe('a damaged segment is found without a key', () => {
  it('at every length that it was cut to', async () => {
    for (let length = 0; length < segment.bytes.length; length++) {
      expect(await outcomeOf(segment.bytes.subarray(0, length))).toBe('SEAL_MALFORMED')
    }
  })

  it('with every byte that was appended, and with bytes in front', async () => {
    for (let byte = 0; byte < 256; byte++) {
      const longer = Buffer.concat([segment.bytes, Buffer.from([byte])])
      expect(await outcomeOf(longer)).toBe('SEAL_MALFORMED')
    }
    const tail = segment.bytes.subarray(-16)
    expect(await outcomeOf(Buffer.concat([segment.bytes, tail]))).toBe('SEAL_MALFORMED')
    expect(await outcomeOf(Buffer.concat([segment.bytes, segment.bytes]))).toBe('SEAL_MALFORMED')
    expect(await outcomeOf(Buffer.concat([Buffer.alloc(1), segment.bytes]))).toBe('SEAL_MALFORMED')
  })

  it('with every bit of the footer flipped', async () => {
    const footerAt = takeApart(segment.bytes).front.length
    for (let bit = footerAt * 8; bit < segment.bytes.length * 8; bit++) {
      expect(await outcomeOf(withFlippedBit(segment.bytes, bit))).toBe('SEAL_MALFORMED')
    }
  })

  it('with every bit of the header flipped, in the object or in its metadata', async () => {
    const isUnknownSuite = (bit: number) => bit >= 8 * 8 && bit < 10 * 8
    for (let bit = 0; bit < 160 * 8; bit++) {
      const code = isUnknownSuite(bit) ? 'SEAL_SUITE_UNKNOWN' : 'SEAL_MALFORMED'
      expect(await outcomeOf(withFlippedBit(segment.bytes, bit))).toBe(code)
      const header = withFlippedBit(segment.bytes.subarray(0, 160), bit)
      const metadata = { ...segment.metadata, 'ss-h': header.toString('base64url') }
      expect(await outcomeOf(segment.bytes, metadata)).toBe(code)
    }
  })

  it('when a byte got lost or doubled among its frames', async () => {
    const { bytes } = segment
    for (const at of [160, 200, bytes.length - 200]) {
      const [front, back] = [bytes.subarray(0, at), bytes.subarray(at)]
      expect(await outcomeOf(Buffer.concat([front, back.subarray(1)]))).toBe('SEAL_MALFORMED')
      const doubled = Buffer.concat([front, back.subarray(0, 1), back])
      expect(await outcomeOf(doubled)).toBe('SEAL_MALFORMED')
    }
  })

  it('when something made text of it, and it says so', async () => {
    const { bytes, objectKey, metadata } = segment
    expect(await outcomeOf(Buffer.from(bytes.toString('utf8')))).toBe('SEAL_MALFORMED')
    expect(await outcomeOf(Buffer.from(bytes.toString('hex')))).toBe('SEAL_MALFORMED')
    store.objects.set(objectKey, { bytes: Buffer.from(bytes.toString('base64')), metadata })
    await expect(inspect()).rejects.toThrow(/base64 text/)
    const crlf = Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')
    expect(await outcomeOf(crlf)).toBe('SEAL_MALFORMED')
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.alloc(1)],
    ['zeros', Buffer.alloc(5_000)],
    ['noise', randomBytes(300 * KIB)],
    ['a text', Buffer.from('{"v":1}\n'.repeat(100))],
  ])('or is none at all, but %s', async (_what, bytes) => {
    expect(await outcomeOf(bytes)).toBe('SEAL_MALFORMED')
    expect(await outcomeOf(bytes, {})).toBe('SEAL_MALFORMED')
  })

  it('when it has lost its metadata, or has those of another', async () => {
    expect(await outcomeOf(segment.bytes, {})).toBe('SEAL_MALFORMED')
    const { metadata } = await sealSegment(dek, store, MESSAGES)
    expect(await outcomeOf(segment.bytes, metadata)).toBe('SEAL_MALFORMED')
    const elsewhere = { ...segment.metadata, 'ss-cluster': 'cluster-b' }
    expect(await outcomeOf(segment.bytes, elsewhere)).toBe('SEAL_MALFORMED')
  })

  it('when it stands under the name of another', async () => {
    const other = segment.objectKey.replace(segment.segmentId, randomUUID())
    store.objects.set(other, { bytes: segment.bytes, metadata: segment.metadata })
    await expect(inspectSegment(store, other)).rejects.toMatchObject({
      code: 'SEAL_CONTEXT_MISMATCH',
    })
  })

  it('when it is not there', async () => {
    await expect(inspectSegment(store, 'none.seal')).rejects.toMatchObject({
      code: 'SEAL_OBJECT_MISSING',
    })
  })
})

describe('a forged segment', () => {
  const forge = (topic: string, length: number): Buffer => {
    const builder = new FooterBuilder()
    builder.add(length, 0, 0, 0)
    const source = { clusterId: CLUSTER_ID, topic, partition: 0 }
    const front = segment.bytes.subarray(0, 160)
    const covered = builder.covered([source], 160 + length)
    return Buffer.concat([front, Buffer.alloc(length), joinFooter(covered, Buffer.alloc(32))])
  }

  it('cannot make the terminal its own by the name of a topic', async () => {
    expect(await outcomeOf(forge('orders', 100))).toBe('fine')
    expect(await outcomeOf(forge('\u001b[2J', 100))).toBe('SEAL_MALFORMED')
    expect(await outcomeOf(forge('o'.repeat(250), 100))).toBe('SEAL_MALFORMED')
    expect(await outcomeOf(forge('', 100))).toBe('SEAL_MALFORMED')
  })

  it('cannot be of a time that no calendar has', async () => {
    for (const [time, code] of [
      [BigInt(8.64e15), 'fine'],
      [BigInt(8.64e15) + 1n, 'SEAL_MALFORMED'],
      [-(2n ** 63n), 'SEAL_MALFORMED'],
    ] as const) {
      const bytes = forge('orders', 100)
      bytes.writeBigInt64BE(time, 88)
      const header = bytes.toString('base64url', 0, 160)
      expect(await outcomeOf(bytes, { ...segment.metadata, 'ss-h': header })).toBe(code)
    }
  })

  it('cannot hold a frame that is longer than frames may be', async () => {
    expect(await outcomeOf(forge('orders', 64 * KIB * KIB + 37))).toBe('SEAL_MALFORMED')
  })

  it('cannot have more read than a footer may hold', async () => {
    const bytes = Buffer.concat([segment.bytes.subarray(0, 160), Buffer.alloc(60 * KIB * KIB)])
    segment.bytes.copy(bytes, bytes.length - 16, segment.bytes.length - 16)
    bytes.writeUInt32BE(50 * KIB * KIB, bytes.length - 16)
    store.reads.length = 0
    expect(await outcomeOf(bytes)).toBe('SEAL_MALFORMED')
    expect(store.reads).toHaveLength(2)
  })

  it('cannot be made of two: one that replaces another between two reads is noticed', async () => {
    segment = await sealSegment(dek, store, messages(4, { value: randomBytes(300 * KIB) }))
    const { objectKey, bytes, metadata } = segment
    const readEnd = store.readEnd.bind(store)
    store.readEnd = async (key, bytesMax) => {
      const end = await readEnd(key, bytesMax)
      store.objects.set(objectKey, { bytes, metadata: { ...metadata, 'ss-u': randomUUID() } })
      return end
    }
    await expect(inspect()).rejects.toMatchObject({ code: 'SEAL_OBJECT_CHANGED' })
  })
})
