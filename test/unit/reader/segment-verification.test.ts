import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import { footerTag } from '../../../src/crypto/footer-tag.ts'
import type { ErrorCode } from '../../../src/errors.ts'
import { FrameAad } from '../../../src/format/aad.ts'
import { FRAME_HEADER_BYTES } from '../../../src/format/frame.ts'
import type { Message } from '../../../src/format/message.ts'
import type { Reference } from '../../../src/format/reference-value.ts'
import { FooterBuilder } from '../../../src/format/segment-footer.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { DekCache } from '../../../src/keys/dek-cache.ts'
import { inspectSegment } from '../../../src/reader/segment-inspection.ts'
import { verifySegment } from '../../../src/reader/segment-verification.ts'
import { putTogether, takeApart, withFlippedBit } from '../../support/altered-segment.ts'
import { emptyDirectory } from '../../support/empty-directory.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { anyContent, message, messages } from '../../support/messages.ts'
import {
  CLUSTER_ID,
  KEK_ID,
  makeDek,
  type SealedSegment,
  sealSegment,
} from '../../support/sealed-segment.ts'

const MIB = 1024 * 1024
/** The first two frames are of one length. */
const MESSAGES: readonly Message[] = [
  message({ offset: 5, value: Buffer.from('one') }),
  message({ offset: 6, value: Buffer.from('two') }),
  message({ partition: 1, offset: 5, value: Buffer.from('three') }),
]
const kms = new FakeKms(KEK_ID)
const store = new MemoryObjectStore()
let dek: Dek
let segment: SealedSegment
let keys: DekCache

beforeAll(async () => {
  dek = await makeDek(kms)
  segment = await sealSegment(dek, store, MESSAGES)
})

beforeEach(() => {
  keys = newKeys()
  const { bytes, metadata } = segment
  store.objects.set(segment.objectKey, { bytes, metadata })
  store.reads.length = 0
})

function newKeys(allowedKekIds = [KEK_ID]): DekCache {
  return new DekCache({ kms, directory: emptyDirectory }, new ManualClock(), {
    allowedKekIds,
    entriesMax: 10,
    ttlMs: 1_000,
  })
}

/** Looks and verifies; tells the counts of frames that progress was shown for. */
async function verify(object = segment.objectKey): Promise<number[]> {
  const inspection = await inspectSegment(store, object)
  const counts: number[] = []
  const onFrames = (count: number) => void counts.push(count)
  const services = { objects: store, keys, engine: nodeEngine, onFrames }
  const total = await verifySegment(inspection, services)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(total)
  return counts
}

/** An entry of an index; without a source it is the first one. */
interface Entry {
  readonly length: number
  readonly seq: number
  readonly offset: number
  readonly source?: number
}

interface Outcome {
  readonly code: ErrorCode | 'fine'
  readonly message: string
}

async function outcomeOf(
  bytes: Buffer,
  metadata: Readonly<Record<string, string>> = segment.metadata,
): Promise<Outcome> {
  store.objects.set(segment.objectKey, { bytes, metadata })
  try {
    await verify()
    return { code: 'fine', message: '' }
  } catch (error) {
    const { code, message } = error as Outcome
    return { code, message }
  }
}

function frameOf(index: number): Reference {
  return segment.references[index] as Reference
}

const cutOut = (index: number) => {
  const { position, length } = frameOf(index)
  return Buffer.from(segment.bytes.subarray(position, position + length))
}

/** The segment with other bytes from where the frame of `index` begins. */
function withBytesAt(index: number, bytes: Uint8Array): Buffer {
  const changed = Buffer.from(segment.bytes)
  changed.set(bytes, frameOf(index).position)
  return changed
}

describe('verifying a segment', () => {
  it('opens every frame, however odd the messages are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyContent, { minLength: 1, maxLength: 12 }), async (contents) => {
        const sent = contents.map((content, i) => message({ ...content, offset: i * 3 }))
        const { objectKey } = await sealSegment(dek, store, sent)
        expect(await verify(objectKey)).toEqual([sent.length])
      }),
      { numRuns: 40 },
    )
  })

  it('reads ranges of at most 8 MiB, and a longer frame alone', async () => {
    const sizes = [3 * MIB, 3 * MIB, 3 * MIB, 9 * MIB, 10, 10]
    const sent = sizes.map((size, offset) => message({ offset, value: Buffer.alloc(size, 'x') }))
    const { objectKey, bytes } = await sealSegment(dek, store, sent)
    store.reads.length = 0
    expect(await verify(objectKey)).toEqual([2, 1, 1, 2])
    // After the end and the header.
    const ranges = store.reads.slice(2)
    const ends = ranges.map(({ position, length }) => position + length)
    expect(ranges.map(({ position }) => position)).toEqual([160, ...ends.slice(0, -1)])
    expect(ends.at(-1)).toBe(takeApart(bytes).front.length)
  })

  it('asks no KMS for a KEK that is not on the list', async () => {
    const before = kms.calls.unwrap
    keys = newKeys([])
    await expect(verify()).rejects.toMatchObject({ code: 'SEAL_KEK_NOT_ALLOWED' })
    expect(kms.calls.unwrap).toBe(before)
  })
})

describe('a damaged frame is found, with its coordinates,', () => {
  const first = () => `orders/0 offset 5 at position ${frameOf(0).position}`

  it('at every bit that is flipped', async () => {
    const { position, length } = frameOf(0)
    for (let bit = position * 8; bit < (position + length) * 8; bit++) {
      const { code, message } = await outcomeOf(withFlippedBit(segment.bytes, bit))
      expect(['SEAL_MALFORMED', 'SEAL_OPEN_FAILED']).toContain(code)
      expect(message).toContain(`${segment.objectKey}: frame of ${first()}: `)
      expect(message).not.toContain('one')
    }
  })

  it('when it is not the first one', async () => {
    const bit = (frameOf(2).position + 30) * 8
    const { code, message } = await outcomeOf(withFlippedBit(segment.bytes, bit))
    expect(code).toBe('SEAL_OPEN_FAILED')
    expect(message).toContain(`orders/1 offset 5 at position ${frameOf(2).position}`)
  })

  it('when two frames changed places', async () => {
    const swapped = withBytesAt(0, Buffer.concat([cutOut(1), cutOut(0)]))
    const { code, message } = await outcomeOf(swapped)
    expect(code).toBe('SEAL_MALFORMED')
    expect(message).toContain(first())
  })

  it('when a frame stands there twice', async () => {
    const { code, message } = await outcomeOf(withBytesAt(1, cutOut(0)))
    expect(code).toBe('SEAL_MALFORMED')
    expect(message).toContain('orders/0 offset 6')
  })

  it('when a frame has the header of its place and the body of another', async () => {
    const frame = Buffer.concat([cutOut(1).subarray(0, 20), cutOut(0).subarray(20)])
    const { code, message } = await outcomeOf(withBytesAt(1, frame))
    expect(code).toBe('SEAL_OPEN_FAILED')
    expect(message).toContain('orders/0 offset 6')
  })

  it('when it was cut and filled up with other bytes', async () => {
    const short = cutOut(0)
    short.writeUInt32BE(short.length - 10, 0)
    const { code, message } = await outcomeOf(withBytesAt(0, short))
    expect(code).toBe('SEAL_MALFORMED')
    expect(message).toContain(first())
  })

  it('when it opens, but to no message', async () => {
    const { position, length } = frameOf(0)
    const { segmentId, keys: segmentKeys } = segment
    const bytes = Buffer.from(segment.bytes)
    const at = { clusterId: CLUSTER_ID, topic: 'orders', partition: 0 }
    const aad = new FrameAad({ segmentId, ...at }).of(bytes, position)
    using cipher = nodeEngine.create(segmentKeys)
    const parcel = cipher.open(bytes, position, length, 0, aad)
    // Another version than the one there is.
    parcel.writeUInt8(9, 0)
    bytes.set(parcel, position + FRAME_HEADER_BYTES)
    cipher.seal(bytes, position, length, 0, aad)
    const { code, message } = await outcomeOf(bytes)
    expect(code).toBe('SEAL_MALFORMED')
    expect(message).toContain(first())
  })

  it('when it comes from another segment of the same key', async () => {
    const other = await sealSegment(dek, store, MESSAGES)
    const { position, length } = other.references[0] as Reference
    const foreign = other.bytes.subarray(position, position + length)
    expect((await outcomeOf(withBytesAt(0, foreign))).code).toBe('SEAL_OPEN_FAILED')
  })
})

describe('a forged index is found', () => {
  it('at every bit that is flipped under a checksum that fits', async () => {
    const pieces = takeApart(segment.bytes)
    const outcomes = new Set<string>()
    for (let bit = 0; bit < pieces.covered.length * 8; bit++) {
      const covered = withFlippedBit(pieces.covered, bit)
      outcomes.add((await outcomeOf(putTogether({ ...pieces, covered }))).code)
    }
    for (let bit = 0; bit < pieces.tag.length * 8; bit++) {
      const tag = withFlippedBit(pieces.tag, bit)
      const { code, message } = await outcomeOf(putTogether({ ...pieces, tag }))
      expect(code).toBe('SEAL_OPEN_FAILED')
      expect(message).toContain('footer')
    }
    expect([...outcomes].sort()).toEqual(['SEAL_MALFORMED', 'SEAL_OPEN_FAILED'])
  })

  const builtWith = (entries: readonly Entry[]) => {
    const builder = new FooterBuilder()
    for (const { length, seq, offset, source } of entries) {
      builder.add(length, seq, source ?? 0, offset)
    }
    return builder
  }

  it('when a message was taken out, with its frame and its entry', async () => {
    const { front, tag } = takeApart(segment.bytes)
    const [{ length }, rest] = [frameOf(0), front.subarray(frameOf(1).position)]
    const shorter = Buffer.concat([front.subarray(0, 160), rest])
    const builder = builtWith([{ length, seq: 1, offset: 6 }])
    builder.add(frameOf(2).length, 2, 1, 5)
    const sources = [0, 1].map((partition) => ({
      ...{ clusterId: CLUSTER_ID, topic: 'orders', partition },
    }))
    const covered = Buffer.from(builder.covered(sources, shorter.length))
    const { code, message } = await outcomeOf(putTogether({ front: shorter, covered, tag }))
    expect(code).toBe('SEAL_OPEN_FAILED')
    expect(message).toContain('footer')
  })

  it('even under a genuine tag, when it does not fit the frames', async () => {
    const two = await sealSegment(dek, store, MESSAGES.slice(0, 2))
    const { front } = takeApart(two.bytes)
    const [a, b] = two.references.map(({ length, offset }, seq) => ({ length, offset, seq })) as [
      Entry,
      Entry,
    ]
    const outcomeWith = async (entries: readonly Entry[], topic = 'orders') => {
      const source = { clusterId: CLUSTER_ID, topic, partition: 0 }
      const covered = builtWith(entries).covered([source, source], front.length)
      const tag = Buffer.from(footerTag(two.keys.footerKey, two.keys.header, covered))
      const bytes = putTogether({ front, covered: Buffer.from(covered), tag })
      store.objects.set(two.objectKey, { bytes, metadata: two.metadata })
      return verify(two.objectKey).then(
        () => 'fine',
        ({ code }) => code,
      )
    }
    expect(await outcomeWith([a, b])).toBe('fine')
    expect(await outcomeWith([a, { ...b, seq: 2 }])).toBe('SEAL_MALFORMED')
    expect(await outcomeWith([a, { ...b, offset: 7 }])).toBe('SEAL_MALFORMED')
    expect(await outcomeWith([a, { ...b, source: 1 }])).toBe('SEAL_MALFORMED')
    expect(await outcomeWith([{ ...a, length: a.length + b.length }])).toBe('SEAL_MALFORMED')
    const moved = [
      { ...a, length: a.length + 1 },
      { ...b, length: b.length - 1 },
    ]
    expect(await outcomeWith(moved)).toBe('SEAL_MALFORMED')
    expect(await outcomeWith([a, b], 'others')).toBe('SEAL_OPEN_FAILED')
  })
})

describe('a forged header or key is found', () => {
  it('at every bit of the header that is flipped in the object and in its metadata', async () => {
    const outcomes = new Map<string, number>()
    for (let bit = 0; bit < 160 * 8; bit++) {
      const bytes = withFlippedBit(segment.bytes, bit)
      const header = bytes.subarray(0, 160).toString('base64url')
      const { code } = await outcomeOf(bytes, { ...segment.metadata, 'ss-h': header })
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
    }
    expect([...outcomes.keys()].sort()).toEqual([
      'SEAL_COMMITMENT_MISMATCH',
      'SEAL_CONTEXT_MISMATCH',
      'SEAL_KEY_TAMPERED',
      'SEAL_MALFORMED',
      'SEAL_SUITE_UNKNOWN',
    ])
    // Salt, context hash, commitment; of the others some bits are refused before.
    expect(outcomes.get('SEAL_COMMITMENT_MISMATCH')).toBeGreaterThanOrEqual((32 + 32 + 32) * 8)
    expect(outcomes.get('SEAL_CONTEXT_MISMATCH')).toBe(16 * 8)
    expect(outcomes.get('SEAL_KEY_TAMPERED')).toBe(16 * 8)
  })

  it('when the data key is another one, wrapped for this very context', async () => {
    const { dekId, keyDomain } = dek.record
    const context = { app: 'sealstream', dek: dekId, domain: keyDomain, v: '1' }
    const { wrapped } = await kms.generateDataKey(KEK_ID, context)
    const metadata = { ...segment.metadata, 'ss-k': Buffer.from(wrapped).toString('base64url') }
    expect((await outcomeOf(segment.bytes, metadata)).code).toBe('SEAL_COMMITMENT_MISMATCH')
  })

  it('when the footer is that of another segment under the same key', async () => {
    const { front } = takeApart(segment.bytes)
    const other = await sealSegment(dek, store, MESSAGES)
    const { covered, tag } = takeApart(other.bytes)
    const { code } = await outcomeOf(putTogether({ front, covered, tag }))
    expect(code).toBe('SEAL_OPEN_FAILED')
  })
})

describe('an object that changes while it is verified', () => {
  it('is noticed', async () => {
    const large = messages(12, { value: randomBytes(MIB) })
    const { objectKey, bytes, metadata } = await sealSegment(dek, store, large)
    const inspection = await inspectSegment(store, objectKey)
    const onFrames = () => {
      store.objects.set(objectKey, { bytes, metadata: { ...metadata, 'ss-u': 'another' } })
    }
    const services = { objects: store, keys, engine: nodeEngine, onFrames }
    await expect(verifySegment(inspection, services)).rejects.toMatchObject({
      code: 'SEAL_OBJECT_CHANGED',
    })
  })
})
