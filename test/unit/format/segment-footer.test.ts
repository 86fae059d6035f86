import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  FOOTER_TAG_BYTES,
  FooterBuilder,
  type FooterSource,
  footerBytesOf,
  type IndexedFrame,
  joinFooter,
  parseFooter,
  TRAILER_BYTES,
} from '../../../src/format/segment-footer.ts'
import { writeVarint } from '../../../src/format/varint.ts'
import { SEGMENT_MESSAGES_MAX } from '../../../src/limits.ts'
import { withFlippedBit } from '../../support/altered-segment.ts'
import { anyTopic } from '../../support/messages.ts'

const malformed = expect.objectContaining({ code: 'SEAL_MALFORMED' })
const TAG = Buffer.alloc(FOOTER_TAG_BYTES, 7)
const HEADER_BYTES = 160
const SOURCE: FooterSource = { clusterId: 'cluster-a', topic: 'orders', partition: 3 }

const ONE_FRAME_END = HEADER_BYTES + 37

interface Counts {
  readonly frames: number
  readonly sources: number
}

interface Segment {
  readonly sources: readonly FooterSource[]
  readonly frames: readonly IndexedFrame[]
}

const anySource: fc.Arbitrary<FooterSource> = fc.record({
  clusterId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  topic: anyTopic,
  partition: fc.oneof(fc.nat(50), fc.constantFrom(0, 0x7fff_ffff)),
})

const anyFrameStep = fc.record({
  length: fc.oneof(fc.integer({ min: 37, max: 2_000 }), fc.constantFrom(37, 64 * 1024 * 1024 + 36)),
  seqGap: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(1_000)),
  source: fc.nat(),
  offsetStep: fc.oneof(fc.nat(3), fc.nat(2 ** 40)),
})

/** Frames as they are packed: behind one another, seqs rising, offsets never falling. */
const anySegment: fc.Arbitrary<Segment> = fc
  .record({
    sources: fc.array(anySource, { minLength: 1, maxLength: 9 }),
    steps: fc.array(anyFrameStep, { minLength: 1, maxLength: 300 }),
    firstOffset: fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 52),
  })
  .map(({ sources, steps, firstOffset }) => {
    const offsets = sources.map(() => firstOffset)
    let position = HEADER_BYTES
    let seq = 0
    const frames = steps.map(({ length, seqGap, offsetStep, ...step }) => {
      const source = step.source % sources.length
      const offset = (offsets[source] as number) + offsetStep
      offsets[source] = offset
      seq += seqGap
      const frame = { position, length, seq: seq++, source, offset }
      position += length
      return frame
    })
    return { sources, frames }
  })

function endOf({ frames }: Segment): number {
  return frames.reduce((end, { length }) => end + length, HEADER_BYTES)
}

function footerOf(segment: Segment): Buffer {
  const builder = new FooterBuilder()
  for (const { length, seq, source, offset } of segment.frames) {
    builder.add(length, seq, source, offset)
  }
  return Buffer.from(joinFooter(builder.covered(segment.sources, endOf(segment)), TAG))
}

/** A footer with one source, and the counts and numbers that a forger writes into it. */
function forged(counts: Counts, index: Uint8Array, framesEnd = ONE_FRAME_END): Buffer {
  const covered = Buffer.from(new FooterBuilder().covered([SOURCE], framesEnd))
  covered.writeUInt32BE(counts.frames, 4)
  covered.writeUInt16BE(counts.sources, 8)
  return Buffer.from(joinFooter(Buffer.concat([covered, index]), TAG))
}

function indexOf(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 8)
  const end = numbers.reduce((at, value) => writeVarint(bytes, at, value), 0)
  return bytes.subarray(0, end)
}

const SAMPLE: Segment = {
  sources: [SOURCE, { ...SOURCE, partition: 4 }],
  frames: [
    { position: 160, length: 100, seq: 0, source: 0, offset: 17 },
    { position: 260, length: 300, seq: 1, source: 1, offset: 2 ** 40 },
    { position: 560, length: 37, seq: 5, source: 0, offset: 17 },
  ],
}

describe('a footer', () => {
  it('gives every source and every frame back', () => {
    fc.assert(
      fc.property(anySegment, (segment) => {
        const bytes = footerOf(segment)
        expect(footerBytesOf(bytes.subarray(-TRAILER_BYTES))).toBe(bytes.length)
        const footer = parseFooter(bytes, endOf(segment) + bytes.length)
        expect(footer.sources).toEqual(segment.sources)
        expect(footer.frames).toEqual(segment.frames)
        expect(footer.framesEnd).toBe(endOf(segment))
        expect(Buffer.concat([footer.covered, footer.tag]).length).toBe(bytes.length - 16)
        expect(TAG.equals(footer.tag)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('holds a source that no frame is of', () => {
    const frames = SAMPLE.frames.slice(0, 1)
    const bytes = footerOf({ ...SAMPLE, frames })
    expect(parseFooter(bytes, 260 + bytes.length).sources).toEqual(SAMPLE.sources)
  })

  it('is refused with any bit flipped', () => {
    const bytes = footerOf(SAMPLE)
    expect(parseFooter(bytes, 597 + bytes.length).frames).toHaveLength(3)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      expect(() => parseFooter(withFlippedBit(bytes, bit), 597 + bytes.length)).toThrow(malformed)
    }
  })

  it('is refused when bytes are missing or added anywhere', () => {
    const bytes = footerOf(SAMPLE)
    for (let at = 0; at <= bytes.length; at++) {
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
      const longer = Buffer.concat([before, Buffer.from([0]), after])
      expect(() => parseFooter(longer, 597 + longer.length)).toThrow(malformed)
      if (at === 0) continue
      expect(() => parseFooter(after, 597 + after.length)).toThrow(malformed)
    }
  })

  it.each([-1, 1, 160, -597])('is refused in an object that is %i bytes longer', (more) => {
    const bytes = footerOf(SAMPLE)
    expect(() => parseFooter(bytes, 597 + bytes.length + more)).toThrow(malformed)
  })
})

describe('a forged footer under a fitting checksum', () => {
  const parse =
    (bytes: Buffer, framesEnd = ONE_FRAME_END) =>
    () =>
      parseFooter(bytes, framesEnd + bytes.length)
  const one = { frames: 1, sources: 1 }
  const two = { frames: 2, sources: 1 }

  it('would pass if its numbers were right', () => {
    expect(parse(forged(one, indexOf(37, 0, 0, 0)))().frames).toHaveLength(1)
    const index = indexOf(37, 0xffff_fffe, 0, 2 ** 52, 37, 0, 0, 2 ** 52 - 1)
    const [, last] = parse(forged(two, index, ONE_FRAME_END + 37), ONE_FRAME_END + 37)().frames
    expect(last).toMatchObject({ seq: 0xffff_ffff, offset: Number.MAX_SAFE_INTEGER })
  })

  it.each<[string, Counts, Buffer, number?]>([
    ['no frames', { ...one, frames: 0 }, indexOf(), HEADER_BYTES],
    ['all frames that fit and one there', { ...one, frames: 2 ** 20 }, indexOf(37, 0, 0, 0)],
    ['no sources', { ...one, sources: 0 }, indexOf(37, 0, 0, 0)],
    ['all sources that fit and one there', { ...one, sources: 4096 }, indexOf(37, 0, 0, 0)],
    ['a frame that holds no parcel', one, indexOf(36, 0, 0, 0), HEADER_BYTES + 36],
    ['a frame of a source that is not there', one, indexOf(37, 0, 1, 0)],
    ['a frame that is longer than the object', one, indexOf(2 ** 52, 0, 0, 0)],
    ['a frame that is shorter than the object', one, indexOf(37, 0, 0, 0), ONE_FRAME_END + 1],
    ['a seq beyond 2^32', one, indexOf(37, 2 ** 32, 0, 0)],
    ['an offset beyond 2^53', two, indexOf(37, 0, 0, 2 ** 52, 37, 0, 0, 2 ** 52), 234],
    ['a number that is not the shortest', one, Buffer.from([37, 0, 0, 0x80, 0])],
    ['numbers behind the last frame', one, indexOf(37, 0, 0, 0, 0)],
  ])('is refused with %s', (_what, counts, index, framesEnd) => {
    expect(parse(forged(counts, index, framesEnd), framesEnd)).toThrow(malformed)
  })

  it('is refused with one frame more than fit, though every one is there', () => {
    const count = SEGMENT_MESSAGES_MAX + 1
    const framesEnd = HEADER_BYTES + 37 * count
    const index = Buffer.alloc(4 * count, indexOf(37, 0, 0, 0))
    expect(parse(forged({ ...one, frames: count }, index, framesEnd), framesEnd)).toThrow(malformed)
  })

  it('is refused with one source more than fit, though every one is there', () => {
    const builder = new FooterBuilder()
    builder.add(37, 0, 0, 0)
    const footerWith = (count: number) => {
      const sources = Array.from({ length: count }, (_, partition) => ({ ...SOURCE, partition }))
      return parse(Buffer.from(joinFooter(builder.covered(sources, ONE_FRAME_END), TAG)))
    }
    expect(footerWith(4096)().sources).toHaveLength(4096)
    expect(footerWith(4097)).toThrow(malformed)
  })

  it('is refused with a source that reaches beyond it, or a negative partition', () => {
    const covered = Buffer.from(new FooterBuilder().covered([SOURCE], HEADER_BYTES))
    const change = (edit: (bytes: Buffer) => void) => {
      const bytes = Buffer.concat([covered, indexOf(37, 0, 0, 0)])
      bytes.writeUInt32BE(1, 4)
      bytes.writeBigUInt64BE(197n, 10)
      edit(bytes)
      return parse(Buffer.from(joinFooter(bytes, TAG)), 197)
    }
    expect(change(() => {})().frames).toHaveLength(1)
    expect(change((bytes) => bytes.writeUInt16BE(0xffff, 22))).toThrow(malformed)
    expect(change((bytes) => bytes.writeUInt16BE(0xffff, 24))).toThrow(malformed)
    expect(change((bytes) => bytes.writeInt32BE(-1, 18))).toThrow(malformed)
  })

  it('costs no more than the bytes that are there, whatever counts it claims', () => {
    const rest = Buffer.alloc(64, 0x25)
    const heapBefore = process.memoryUsage().heapUsed
    for (let i = 0; i < 2_000; i++) {
      expect(parse(forged({ ...one, frames: SEGMENT_MESSAGES_MAX }, rest))).toThrow(malformed)
    }
    // 2,000 times 2^20 frames would be some hundred gigabytes.
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(256 * 1024 * 1024)
  })

  it('is refused as random bytes under the end of a segment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(10_000), (covered, framesEnd) => {
        const bytes = Buffer.from(joinFooter(covered, TAG))
        expect(() => parseFooter(bytes, framesEnd + bytes.length)).toThrow(malformed)
      }),
    )
  })

  it.each([0, 15, 17])('has no length in %i bytes of trailer', (length) => {
    expect(() => footerBytesOf(Buffer.alloc(length))).toThrow(malformed)
  })
})
