import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAME_OVERHEAD_BYTES, readFrameHeader, writeFrameHeader } from '../../src/format/frame.ts'
import { idToBytes, idToText, isId } from '../../src/format/ids.ts'
import { parseReference, ReferenceEncoder } from '../../src/format/reference-value.ts'
import { decodeHeader, encodeHeaderPrefix, joinHeader } from '../../src/format/segment-header.ts'
import { decodeMetadata, encodeMetadata } from '../../src/format/segment-metadata.ts'
import { SEGMENT_BYTES_MAX } from '../../src/limits.ts'
import { segmentObjectKey } from '../../src/segment/object-key.ts'
import { anyOffset, anyTopic } from '../support/messages.ts'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const u32 = fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 0xffff_ffff))

const anyHeaderFields = fc.record({
  segmentId: fc.uuid(),
  generation: fc.integer({ min: 1, max: 0xffff_ffff }),
  dekId: fc.uuid(),
  salt: bytesOf(32),
  createdAtMs: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  kmsContextHash: bytesOf(32),
})

const anyHeaderBytes = fc
  .tuple(anyHeaderFields, bytesOf(32))
  .map(([fields, commitment]) => joinHeader(encodeHeaderPrefix(fields), commitment))

const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })

describe('a frame header', () => {
  it('gives back what was written, in place', () => {
    const header = fc.record({
      frameBytes: fc.integer({ min: FRAME_OVERHEAD_BYTES, max: 500 }),
      seq: u32,
      offset: anyOffset,
      source: fc.nat(0xffff),
    })
    fc.assert(
      fc.property(header, fc.nat(40), (fields, at) => {
        const bytes = Buffer.alloc(at + fields.frameBytes)
        writeFrameHeader(bytes, at, fields)
        expect(readFrameHeader(bytes, at)).toEqual(fields)
        expect(bytes.readBigInt64BE(at + 8)).toBe(BigInt(fields.offset))
      }),
    )
  })

  it.each([
    ['is shorter than a frame can be', 40, 0, 35],
    ['reaches behind the bytes at hand', 40, 0, 41],
    ['has flags', 40, 18, 0x0100_0000],
    ['has a reserved byte', 40, 16, 0x0000_0001],
    ['has an offset beyond 2^53', 40, 8, 0x0020_0000],
    ['has a negative offset', 40, 8, 0xffff_ffff],
    ['has fewer bytes than an empty frame', 35, 0, 35],
  ])('is refused when it %s', (_what, size, at, to) => {
    const bytes = Buffer.alloc(size + 4)
    writeFrameHeader(bytes, 0, { frameBytes: size, seq: 0, offset: 0, source: 0 })
    bytes.writeUInt32BE(to, at)
    expect(() => readFrameHeader(bytes.subarray(0, size), 0)).toThrow(
      expect.objectContaining({ code: 'SEAL_MALFORMED' }),
    )
  })
})

describe('a segment header', () => {
  it('gives back what was written, the time rounded down to the minute', () => {
    fc.assert(
      fc.property(anyHeaderFields, bytesOf(32), (fields, commitment) => {
        const bytes = joinHeader(encodeHeaderPrefix(fields), commitment)
        expect(bytes).toHaveLength(160)
        const read = decodeHeader(bytes)
        const { segmentId, generation, dekId } = fields
        expect(read).toMatchObject({ segmentId, generation, dekId })
        expect(read.createdAtMs).toBe(fields.createdAtMs - (fields.createdAtMs % 60_000))
        expect(hex(read.salt)).toBe(hex(fields.salt))
        expect(hex(read.kmsContextHash)).toBe(hex(fields.kmsContextHash))
        expect(hex(read.prefix)).toBe(hex(bytes.subarray(0, 128)))
        expect(hex(read.commitment)).toBe(hex(commitment))
        expect(hex(joinHeader(encodeHeaderPrefix(read), read.commitment))).toBe(hex(bytes))
      }),
    )
  })

  it('is refused at every other length', () => {
    fc.assert(
      fc.property(anyHeaderBytes, fc.nat(320), (bytes, length) => {
        fc.pre(length !== bytes.length)
        const resized = Buffer.alloc(length)
        resized.set(bytes.subarray(0, length))
        expect(() => decodeHeader(resized)).toThrow(malformed)
      }),
    )
  })
})

describe('a reference value', () => {
  const anyPlace = fc
    .tuple(
      anyTopic,
      fc.uuid(),
      fc.date({ min: new Date(0), max: new Date('2999-01-01'), noInvalidDate: true }),
    )
    .map(([topic, segmentId, at]) => ({
      topic,
      object: segmentObjectKey({ prefix: 'a/b' }, topic, segmentId, at.getTime()),
    }))

  it('gives back what was written, from bytes, from text and parsed', () => {
    const frame = fc.record({
      partition: fc.nat(0x7fff_ffff),
      offset: anyOffset,
      position: fc.nat(SEGMENT_BYTES_MAX - 64 * 1024 * 1024),
      length: fc.integer({ min: FRAME_OVERHEAD_BYTES, max: 64 * 1024 * 1024 }),
    })
    fc.assert(
      fc.property(anyPlace, frame, ({ topic, object }, { partition, offset, position, length }) => {
        const text = new ReferenceEncoder(object, topic, partition).encode(offset, position, length)
        const reference = { object, topic, partition, offset, position, length }
        expect(JSON.parse(text)).toEqual({ v: 1, ...reference })
        expect(parseReference(text)).toEqual(reference)
        expect(parseReference(Buffer.from(text))).toEqual(reference)
        expect(parseReference(reference)).toEqual(reference)
      }),
    )
  })

  it('is refused with one error, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => parseReference(text)).toThrow(
          expect.objectContaining({ code: 'SEAL_REFERENCE_INVALID' }),
        )
      }),
    )
  })
})

describe('object metadata', () => {
  const anyMetadata = fc.record({
    header: anyHeaderBytes,
    wrapped: fc.uint8Array({ minLength: 1, maxLength: 1024 }),
    kekId: anyText,
    keyDomain: anyText,
    clusterId: anyText,
    token: fc.uuid(),
  })

  it('gives back what was written, and is ASCII', () => {
    fc.assert(
      fc.property(anyMetadata, (metadata) => {
        const pairs = encodeMetadata(metadata)
        for (const text of Object.values(pairs)) expect(text).toMatch(/^[\x21-\x7e]+$/)
        const { header, wrapped, ...texts } = decodeMetadata(pairs)
        const { kekId, keyDomain, clusterId, token } = metadata
        expect(texts).toEqual({ kekId, keyDomain, clusterId, token })
        expect(hex(wrapped)).toBe(hex(metadata.wrapped))
        expect(hex(joinHeader(header.prefix, header.commitment))).toBe(hex(metadata.header))
        const again = joinHeader(header.prefix, header.commitment)
        expect(encodeMetadata({ ...texts, wrapped, header: again })).toEqual(pairs)
      }),
    )
  })

  it('is refused when any entry is absent, and when bytes are not in their one form', () => {
    fc.assert(
      fc.property(anyMetadata, fc.nat(6), (metadata, which) => {
        const pairs = encodeMetadata(metadata)
        const name = Object.keys(pairs)[which] as string
        expect(() => decodeMetadata({ ...pairs, [name]: '' })).toThrow(malformed)
        for (const bytes of ['ss-h', 'ss-k']) {
          expect(() => decodeMetadata({ ...pairs, [bytes]: `${pairs[bytes]}=` })).toThrow(malformed)
          expect(() => decodeMetadata({ ...pairs, [bytes]: ` ${pairs[bytes]}` })).toThrow(malformed)
        }
      }),
    )
  })

  it('is refused with a wrapped key of more than 1,024 bytes', () => {
    const header = fc.sample(anyHeaderBytes, { numRuns: 1, seed: 1 })[0] as Uint8Array
    const texts = { kekId: 'k', keyDomain: 'd', clusterId: 'c', token: 't' }
    const pairs = encodeMetadata({ ...texts, header, wrapped: new Uint8Array(1025) })
    expect(() => decodeMetadata(pairs)).toThrow(malformed)
  })
})

describe('an id', () => {
  it('is the same as text and as bytes', () => {
    fc.assert(fc.property(fc.uuid(), (text) => idToText(idToBytes(text)) === text))
  })

  it('is a UUID in lower case and nothing else', () => {
    const id = '5ea15eed-0000-4000-8000-00000000000a'
    expect(isId(id)).toBe(true)
    for (const other of [id.toUpperCase(), id.replaceAll('-', ''), `${id} `, `${id}\n`, '']) {
      expect(isId(other)).toBe(false)
      expect(() => idToBytes(other)).toThrow(
        expect.objectContaining({ code: 'SEAL_INPUT_INVALID' }),
      )
    }
  })
})

const malformed = expect.objectContaining({ code: 'SEAL_MALFORMED' })
