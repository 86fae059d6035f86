import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAME_OVERHEAD_BYTES } from '../../src/format/frame.ts'
import { parseReferences, ReferenceListWriter } from '../../src/format/reference-list.ts'
import { type Reference, ReferenceEncoder } from '../../src/format/reference-value.ts'

const OBJECT = 'sealed/segments/orders/2026/01/02/03/5ea15eed-0000-4000-8000-00000000000a.seal'
const SOURCE = { object: OBJECT, topic: 'orders', partition: 3 }
const MIB = 1024 * 1024

function written(places: readonly Omit<Reference, 'object' | 'topic' | 'partition'>[]): string[] {
  const values: string[] = []
  const writer = new ReferenceListWriter(SOURCE, (value) => values.push(value))
  for (const { offset, position, length } of places) writer.add(offset, position, length)
  writer.flush()
  return values
}

/** A well-formed value with something else in it. */
function altered(change: Record<string, unknown>): string {
  const [value = ''] = written([
    { offset: 7, position: 160, length: 100 },
    { offset: 9, position: 300, length: 50 },
  ])
  return JSON.stringify({ ...JSON.parse(value), ...change })
}

const steps = (...numbers: number[]) => Buffer.from(numbers).toString('base64url')

describe('a reference value that names several messages', () => {
  it('gives back what was written, in its order', () => {
    const place = fc.record({
      skipped: fc.oneof(fc.constant(0), fc.nat(2 ** 40)),
      gap: fc.oneof(fc.constant(0), fc.nat(MIB)),
      length: fc.integer({ min: FRAME_OVERHEAD_BYTES, max: 4 * MIB }),
    })
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 60 }), (shapes) => {
        const at = { offset: 0, position: 160 }
        const places = shapes.map(({ skipped, gap, length }) => {
          const found = { offset: at.offset + skipped, position: at.position + gap, length }
          Object.assign(at, { offset: found.offset + 1, position: found.position + length })
          return found
        })
        const values = written(places)
        const expected = places.map((found) => ({ ...SOURCE, ...found }))
        expect(values.flatMap(parseReferences)).toEqual(expected)
        expect(values.flatMap((value) => parseReferences(Buffer.from(value)))).toEqual(expected)
      }),
    )
  })

  it('names at most 16,384 messages and 8 MiB of frames, unless it is one', () => {
    const small = Array.from({ length: 20_000 }, (_, i) => {
      return { offset: i, position: 160 + i * 40, length: 40 }
    })
    expect(written(small).map((value) => parseReferences(value).length)).toEqual([16_384, 3_616])
    const large = [3, 6, 20, 1].map((mib, i) => {
      return { offset: i, position: i * 32 * MIB, length: mib * MIB }
    })
    expect(written(large).map((value) => parseReferences(value).length)).toEqual([1, 1, 1, 1])
  })

  it('begins anew where offsets or positions fall', () => {
    const places = [5, 6, 6, 2].map((offset, i) => ({ offset, position: 160 + i * 50, length: 50 }))
    const back = [...places, { offset: 3, position: 160, length: 50 }]
    expect(
      written(back).map((value) => parseReferences(value).map(({ offset }) => offset)),
    ).toEqual([[5, 6], [6], [2], [3]])
  })

  it('takes four bytes a message of 1 KiB, before base64', () => {
    const places = Array.from({ length: 1_000 }, (_, i) => {
      return { offset: 10_000_000 + i, position: 160 + i * 1_070, length: 1_070 }
    })
    expect(written(places)[0]?.length).toBeLessThan(5_600)
  })

  it('reads a value that names one message too', () => {
    const value = new ReferenceEncoder(OBJECT, 'orders', 3).encode(1, 160, 100)
    expect(parseReferences(value)).toEqual([{ ...SOURCE, offset: 1, position: 160, length: 100 }])
  })

  it.each([
    ['no frames', { frames: undefined }],
    ['frames that are no text', { frames: 7 }],
    ['frames that are not base64url', { frames: `${steps(0, 0, 100)}=` }],
    ['frames cut short', { frames: steps(0, 0, 100, 1, 40) }],
    ['more frames than are counted', { frames: steps(0, 0, 100, 1, 40, 50, 0, 0, 50) }],
    ['a number that is not in its shortest form', { frames: steps(0, 0, 100, 0x81, 0, 40, 50) }],
    ['a frame that is too short', { frames: steps(0, 0, 35, 1, 40, 50) }],
    ['a first offset that is not the first', { frames: steps(1, 0, 100, 1, 40, 50) }],
    ['a first position that is not the first', { frames: steps(0, 1, 100, 1, 40, 50) }],
    ['no message', { count: 0, frames: '' }],
    ['too many messages', { count: 16_385 }],
    ['an object out of its bucket', { object: '../x.seal' }],
    ['a topic that is none', { topic: 'or ders' }],
    ['a position behind every segment', { position: 2 ** 40 }],
    ['an unsafe offset', { offset: 2 ** 60 }],
    ['another version', { v: 3 }],
  ])('is refused with %s', (_, change) => {
    expect(() => parseReferences(altered(change))).toThrow(
      expect.objectContaining({ code: 'SEAL_REFERENCE_INVALID' }),
    )
  })

  it('is refused when it names more bytes than a reader may be made to hold', () => {
    const length = Buffer.from([0x80, 0x80, 0x80, 0x02]) // 4 MiB
    const frames = Buffer.concat(
      Array.from({ length: 3 }, () => Buffer.concat([Buffer.from([0, 0]), length])),
    ).toString('base64url')
    expect(() => parseReferences(altered({ count: 3, frames }))).toThrow('more bytes')
    expect(parseReferences(altered({ count: 2, frames: frames.slice(0, 16) }))).toHaveLength(2)
  })

  it('says one error of every altered byte, or reads what one would have written', () => {
    const value = Buffer.from(altered({}))
    for (let at = 0; at < value.length; at++) {
      for (const byte of [0x20, 0x22, 0x2c, 0x30, 0x39, 0x41, 0x5f, 0x7d, 0x00, 0xff]) {
        const other = Buffer.from(value)
        other[at] = byte
        try {
          for (const { length } of parseReferences(other)) {
            expect(length).toBeGreaterThanOrEqual(FRAME_OVERHEAD_BYTES)
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'SEAL_REFERENCE_INVALID' })
        }
      }
    }
  })
})
