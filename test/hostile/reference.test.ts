import { describe, expect, it } from 'vitest'
import { parseReference } from '../../src/format/reference-value.ts'

const REFERENCE = {
  v: 1,
  object: 'sealed/segments/orders/2026/01/02/03/5ea15eed-0000-4000-8000-00000000000a.seal',
  topic: 'orders',
  partition: 3,
  offset: 42,
  position: 160,
  length: 100,
}
const refused = expect.objectContaining({ code: 'SEAL_REFERENCE_INVALID' })

describe('parseReference', () => {
  it('reads what the encoder writes', () => {
    const { v, ...reference } = REFERENCE
    expect(parseReference(JSON.stringify(REFERENCE))).toEqual(reference)
  })

  it.each([
    ['another version', { v: 2 }],
    ['a version as text', { v: '1' }],
    ['no object', { object: undefined }],
    ['an object that is no segment', { object: 'sealed/deks/x.json' }],
    ['an absolute object', { object: '/etc/x.seal' }],
    ['an object that begins by climbing up', { object: '../other-bucket/x.seal' }],
    ['an object that begins with a dot step', { object: './x.seal' }],
    ['an object that climbs up', { object: 'sealed/../../other-bucket/x.seal' }],
    ['an object with an empty step', { object: 'sealed//x.seal' }],
    ['an object with a query', { object: 'sealed/x?versionId=1.seal' }],
    ['an object with a line break', { object: 'sealed/x\n.seal' }],
    ['an object that is too long', { object: `${'a'.repeat(1100)}.seal` }],
    ['an object that is no text', { object: ['a.seal'] }],
    ['a topic that Kafka would refuse', { topic: 'a b' }],
    ['a topic that is too long', { topic: 'a'.repeat(250) }],
    ['a negative partition', { partition: -1 }],
    ['an offset that is not exact', { offset: 2 ** 53 }],
    ['an offset as text', { offset: '42' }],
    ['a fractional position', { position: 0.5 }],
    ['a position beyond a segment', { position: 5 * 2 ** 30 }],
    ['a length below that of an empty frame', { length: 35 }],
    ['a length beyond the largest message', { length: 64 * 2 ** 20 + 37 }],
    ['a null length', { length: null }],
    ['a negative offset', { offset: -1 }],
    ['a negative position', { position: -160 }],
    ['a negative length', { length: -100 }],
    ['an end beyond a segment', { position: 4 * 2 ** 30 - 50, length: 100 }],
    ['a bucket of its own', { object: 's3://other-bucket/x.seal' }],
    ['an object of another host', { object: '//host/x.seal' }],
    ['an object that ends by climbing up', { object: 'sealed/..' }],
  ])('refuses %s', (_what, change) => {
    const value = { ...REFERENCE, ...change }
    expect(() => parseReference(JSON.stringify(value))).toThrow(refused)
    expect(() => parseReference(value as never)).toThrow(refused)
  })

  it('refuses text without a version, which a parsed reference does not need', () => {
    const { v, ...reference } = REFERENCE
    expect(() => parseReference(JSON.stringify(reference))).toThrow(refused)
    expect(parseReference(reference)).toEqual(reference)
  })

  it.each([['null'], ['[]'], ['""'], ['{'], [''], ['\u0000'], [`"${'a'.repeat(5000)}"`]])(
    'refuses %j',
    (text) => {
      expect(() => parseReference(text)).toThrow(refused)
      expect(() => parseReference(Buffer.from(text))).toThrow(refused)
    },
  )

  it('says nothing of the value in its error', () => {
    const secret = 'hunter2'
    try {
      parseReference(JSON.stringify({ ...REFERENCE, object: secret }))
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toContain(secret)
    }
  })
})
