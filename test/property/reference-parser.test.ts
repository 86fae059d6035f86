import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReferenceParser } from '../../src/format/reference-parser.ts'
import { parseReference, ReferenceEncoder } from '../../src/format/reference-value.ts'

const OBJECT = 'sealed/segments/orders/2026/01/02/03/5ea15eed-0000-4000-8000-00000000000a.seal'
const encoder = new ReferenceEncoder(OBJECT, 'orders', 3)
const first = Buffer.from(encoder.encode(1, 160, 100))

/** What the strict parser says, as something that can be compared. */
function said(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (error) {
    return (error as Error).message
  }
}

/** A parser that has just seen a reference of the same segment and partition. */
function warm(): ReferenceParser {
  const parser = new ReferenceParser()
  parser.parse(first)
  return parser
}

function expectSame(value: Buffer): void {
  expect(said(() => warm().parse(value))).toEqual(said(() => parseReference(value)))
}

describe('a parser of references that come in a row', () => {
  it('reads what the encoder writes as the strict parser does', () => {
    const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    fc.assert(
      fc.property(count, count, count, (offset, position, length) => {
        expectSame(Buffer.from(encoder.encode(offset, position, length)))
        expectSame(Buffer.from(encoder.encode(offset, position % 2 ** 32, length % 2 ** 26)))
      }),
    )
  })

  it('says the same of every altered byte, byte added and byte taken away', () => {
    const value = Buffer.from(encoder.encode(1_234, 5_678_901, 1_060))
    for (let at = 0; at < value.length; at++) {
      for (const byte of [0x20, 0x22, 0x2c, 0x2d, 0x2e, 0x30, 0x39, 0x65, 0x7d, 0x00, 0xff]) {
        const altered = Buffer.from(value)
        altered[at] = byte
        expectSame(altered)
        expectSame(Buffer.concat([value.subarray(0, at), Buffer.from([byte]), value.subarray(at)]))
      }
      expectSame(Buffer.concat([value.subarray(0, at), value.subarray(at + 1)]))
      expectSame(value.subarray(0, at))
    }
  })

  it.each(['01', '1e3', '1.0', '-1', '', '9007199254740993', '12345678901234567890', '000'])(
    'takes %j for a number no more than the strict parser does',
    (number) => {
      const text = first.toString()
      expectSame(Buffer.from(text.replace('"offset":1', `"offset":${number}`)))
      expectSame(Buffer.from(text.replace('"position":160', `"position":${number}`)))
      expectSame(Buffer.from(text.replace('"length":100', `"length":${number}`)))
    },
  )

  it('does not take a field twice', () => {
    const text = first.toString()
    expectSame(Buffer.from(text.replace('}', ',"object":"x"}')))
    expectSame(Buffer.from(text.replace('}', ',"offset":7}')))
  })
})
