import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../src/errors.ts'
import type { MessageContent } from '../../src/format/message.ts'
import { parcelBytes, readParcel, writeParcel } from '../../src/format/parcel.ts'
import { anyContent, comparable, message } from '../support/messages.ts'

function encode(content: MessageContent): Buffer {
  const bytes = Buffer.alloc(parcelBytes(content))
  expect(writeParcel(bytes, 0, content)).toBe(bytes.length)
  return bytes
}

describe('a parcel', () => {
  it('gives back every message as it was', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        expect(comparable(readParcel(encode(content)))).toEqual(comparable(content))
      }),
    )
  })

  it('has one form: what decodes, encodes to the same bytes', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        const bytes = encode(content)
        expect(encode(readParcel(bytes)).equals(bytes)).toBe(true)
      }),
    )
  })

  it('refuses altered bytes, or they are the one form of another message', () => {
    const change = fc.record({ at: fc.nat(), to: fc.nat(255) })
    fc.assert(
      fc.property(anyContent, change, (content, { at, to }) => {
        const bytes = encode(content)
        bytes[at % bytes.length] = to
        try {
          expect(encode(readParcel(bytes)).equals(bytes)).toBe(true)
        } catch (error) {
          if (!isSealError(error, 'SEAL_MALFORMED')) throw error
        }
      }),
      { numRuns: 500 },
    )
  })

  it('refuses every truncation and every byte too many', () => {
    const headers = [
      [Buffer.from('a'), null] as const,
      [Buffer.from('a'), Buffer.alloc(0)] as const,
    ]
    const bytes = encode(message({ headers }))
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readParcel(bytes.subarray(0, length))).toThrow(malformed)
    }
    expect(() => readParcel(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(malformed)
  })

  it('refuses an unknown version, unknown flags and a length below -1', () => {
    const bytes = encode(message())
    for (const [at, to] of [
      [0, 2],
      [1, 2],
    ] as const) {
      const altered = Buffer.from(bytes)
      altered[at] = to
      expect(() => readParcel(altered)).toThrow(malformed)
    }
    bytes.writeInt32BE(-2, 10)
    expect(() => readParcel(bytes)).toThrow(malformed)
  })

  it('holds 65,535 headers and refuses one more', () => {
    const header = [Buffer.from('h'), null] as const
    const most = message({ headers: new Array(0xffff).fill(header) })
    expect(readParcel(encode(most)).headers).toHaveLength(0xffff)
    const over = message({ headers: new Array(0x1_0000).fill(header) })
    expect(() => parcelBytes(over)).toThrow(
      expect.objectContaining({ code: 'SEAL_MESSAGE_UNSEALABLE' }),
    )
  })

  it('holds a header name of 65,535 bytes and refuses a longer one', () => {
    const named = (length: number) => message({ headers: [[Buffer.alloc(length), null]] })
    expect(readParcel(encode(named(0xffff))).headers[0]?.[0]).toHaveLength(0xffff)
    expect(() => parcelBytes(named(0x1_0000))).toThrow(
      expect.objectContaining({ code: 'SEAL_MESSAGE_UNSEALABLE' }),
    )
  })
})

const malformed = expect.objectContaining({ code: 'SEAL_MALFORMED' })
