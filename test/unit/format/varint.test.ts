import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readVarint, VARINT_BYTES_MAX, writeVarint } from '../../../src/format/varint.ts'

const malformed = expect.objectContaining({ code: 'SEAL_MALFORMED' })
const MAX = Number.MAX_SAFE_INTEGER

function written(value: number): Buffer {
  const bytes = Buffer.alloc(VARINT_BYTES_MAX + 1, 0xff)
  return bytes.subarray(0, writeVarint(bytes, 0, value))
}

function read(...bytes: number[]): number {
  return readVarint({ bytes: Buffer.from(bytes), at: 0 })
}

/** Any u64 in seven bits a byte, by the book. */
function leb128(value: bigint): number[] {
  const rest = value >> 7n
  const low = Number(value & 0x7fn)
  return rest === 0n ? [low] : [low | 0x80, ...leb128(rest)]
}

const anyNumber = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(0x4000),
  fc.constantFrom(0, 127, 128, 2 ** 14 - 1, 2 ** 14, 2 ** 31, 2 ** 32, 2 ** 49, 2 ** 52, MAX),
)

describe('a varint', () => {
  it('comes back from its bytes, which are those of LEB128, and leaves the cursor behind them', () => {
    fc.assert(
      fc.property(anyNumber, fc.nat(5), (value, at) => {
        const bytes = Buffer.concat([Buffer.alloc(at, 0xff), written(value), Buffer.from([0x81])])
        const cursor = { bytes, at }
        expect(readVarint(cursor)).toBe(value)
        expect(cursor.at).toBe(bytes.length - 1)
        expect([...written(value)]).toEqual(leb128(BigInt(value)))
      }),
    )
  })

  it.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 32, '8080808010'],
    [MAX, 'ffffffffffffff0f'],
  ])('of %d is %s', (value, hex) => {
    expect(written(value).toString('hex')).toBe(hex)
  })

  it('takes eight bytes at most', () => {
    expect(written(MAX)).toHaveLength(VARINT_BYTES_MAX)
  })

  it('is refused when it is not in its shortest form', () => {
    fc.assert(
      fc.property(anyNumber, fc.integer({ min: 1, max: 4 }), (value, zeros) => {
        const longer = [...written(value)]
        longer.push((longer.pop() as number) | 0x80, ...new Array(zeros - 1).fill(0x80), 0)
        expect(() => read(...longer)).toThrow(malformed)
      }),
    )
    expect(() => read(0x80, 0x00)).toThrow(malformed)
  })

  it('is refused from 2^53 on', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), (value) => {
        expect(() => read(...leb128(value))).toThrow(malformed)
      }),
    )
    expect(() => read(...leb128(2n ** 53n))).toThrow(malformed)
    expect(() => read(...new Array(100).fill(0xff))).toThrow(malformed)
  })

  it('is refused when it does not end', () => {
    fc.assert(
      fc.property(anyNumber, (value) => {
        const bytes = [...written(value)]
        for (let length = 0; length < bytes.length; length++) {
          expect(() => read(...bytes.slice(0, length))).toThrow(malformed)
        }
      }),
    )
  })
})
