import { describe, expect, it } from 'vitest'
import {
  decodeMetadataResponse,
  encodeMetadataRequest,
} from '../../../../src/adapters/kafka/topic-ids.ts'

/** Bytes in hexadecimal digits; what they are stands behind a hash. */
function bytes(...lines: readonly string[]): Buffer {
  const digits = lines.map((line) => line.replace(/#.*/, '').replaceAll(' ', ''))
  return Buffer.from(digits.join(''), 'hex')
}

describe('a metadata request', () => {
  it('stands as the protocol has it, and makes no broker create a topic', () => {
    expect(encodeMetadataRequest(['orders', 'é'])).toEqual(
      bytes(
        '00 # no tags of the header',
        '03 # two topics',
        '00000000000000000000000000000000 07 6f7264657273 00 # no id, the name, no tags',
        '00000000000000000000000000000000 03 c3a9 00',
        '00 00 00 # no creation, no operations of the cluster and none of topics',
        '00 # no tags',
      ),
    )
  })

  it('gives the length of a long name as a varint of two bytes', () => {
    const request = encodeMetadataRequest(['n'.repeat(249)])
    expect(request.subarray(18, 21)).toEqual(bytes('fa 01 6e'))
    expect(request).toHaveLength(18 + 2 + 249 + 1 + 3 + 1)
  })
})

describe('a metadata response', () => {
  const ID = '0123456789abcdef0123456789abcdef'
  const HEAD = [
    '00 # no tags of the header',
    '00000007 # throttle time',
    '03 # two brokers',
    '00000001 0a 3132372e302e302e31 00002384 00 00 # 1, 127.0.0.1, port, no rack, no tags',
    '00000102 02 62 00002385 03 7231 01 05 02 ffff # 258, b, port, r1, a tag of two bytes',
    '05 63756265 # cluster id',
    '00000001 # controller',
  ]
  const TAIL = [
    '80000000 # operations that are allowed on the cluster',
    '01 80 01 03 010203 # tag 128 of three bytes',
  ]
  const ORDERS = [
    `0000 07 6f7264657273 ${ID} 00 # no error, orders, its id, not internal`,
    '03 # two partitions',
    '0000 00000000 00000001 00000005 02 00000001 02 00000001 01 00 # one replica, in sync',
    '0005 00000001 ffffffff 00000006 03 00000001 00000102 01 02 00000102 01 00 01 aa',
    '80000000 00 # operations that are allowed on the topic, no tags',
  ]
  /** A topic without partitions. */
  const topic = (errorCode: string, name: string, id: string) =>
    `${errorCode} ${name} ${id} 00 01 80000000 00`
  const decoded = (count: string, ...topics: string[]) =>
    decodeMetadataResponse(bytes(...HEAD, count, ...topics, ...TAIL))

  it('tells the brokers, and the ids of topics behind partitions and tags', () => {
    const other = 'ff'.repeat(16)
    expect(decoded('03', ...ORDERS, topic('0000', '02 70', other))).toEqual({
      nodeIds: [1, 258],
      topics: [
        { topic: 'orders', errorCode: 0, id: ID },
        { topic: 'p', errorCode: 0, id: other },
      ],
    })
  })

  it('takes an id of zeros for none, as of topics that are not there', () => {
    const zeros = '00'.repeat(16)
    const topics = [topic('0003', '02 70', zeros), topic('0000', '02 71', zeros)]
    expect(decoded('03', ...topics).topics).toEqual([
      { topic: 'p', errorCode: 3, id: null },
      { topic: 'q', errorCode: 0, id: null },
    ])
  })

  it('passes a topic without a name over', () => {
    const topics = [topic('0064', '00', ID), topic('0000', '02 70', ID)]
    expect(decoded('03', ...topics).topics).toEqual([{ topic: 'p', errorCode: 0, id: ID }])
  })

  it.each([
    ['none', '01'],
    ['a null array', '00'],
  ])('may hold no topics: %s', (_, count) => {
    expect(decoded(count).topics).toEqual([])
  })

  it('is refused when it ends before its topics do', () => {
    const whole = bytes(...HEAD, '02', ...ORDERS)
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeMetadataResponse(whole.subarray(0, length))).toThrow(RangeError)
    }
    expect(decodeMetadataResponse(whole).topics).toHaveLength(1)
  })

  it('is refused when a varint does not end', () => {
    expect(() => decodeMetadataResponse(Buffer.alloc(64, 0xff))).toThrow('does not end')
  })
})
