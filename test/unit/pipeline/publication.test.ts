import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { publicationOf } from '../../../src/pipeline/publication.ts'
import type { SealedSegment } from '../../../src/pipeline/segment-plan.ts'

const TOPICS = { referenceTopicSuffix: '.sealed', quarantineTopicSuffix: '.quarantine' }

type Source = readonly [topic: string, partition: number, nextOffset: number]
type Frame = readonly [source: number, value: string]

function segment(
  sources: Source[],
  parts: Frame[][],
  quarantined: SealedSegment['quarantined'] = [],
): SealedSegment {
  return {
    key: { dekId: 'd', segmentId: 's' },
    sources: sources.map(([topic, partition, nextOffset], index) => ({
      ...{ topic, partition, nextOffset, index },
    })),
    parts: parts.map((frames) => {
      let end = 0
      const ends = frames.map(([, value]) => {
        end += value.length
        return end
      })
      return {
        values: Buffer.from(frames.map(([, value]) => value).join('')),
        ends: Uint32Array.from(ends),
        source: Uint16Array.from(frames, ([source]) => source),
      }
    }),
    quarantined,
    messageCount: parts.flat().length,
    chargedBytes: 0,
    openedAtMs: 0,
  }
}

/** Records by place, their values as text. */
function recordsOf(segments: SealedSegment[]): Record<string, string[]> {
  const { records } = publicationOf(segments, TOPICS)
  return Object.fromEntries(
    records.map(({ topic, partition, values }) => [
      `${topic}/${partition}`,
      values.map((value) => Buffer.from(value).toString()),
    ]),
  )
}

describe('publicationOf', () => {
  it('gives every reference to the partition of the same number, in order over all parts', () => {
    const sealed = segment(
      [
        ['orders', 0, 12],
        ['orders', 3, 7],
      ],
      [
        [
          [0, 'a'],
          [1, 'bb'],
          [0, 'ccc'],
        ],
        [[1, 'd']],
      ],
    )
    expect(recordsOf([sealed])).toEqual({
      'orders.sealed/0': ['a', 'ccc'],
      'orders.sealed/3': ['bb', 'd'],
    })
    expect(publicationOf([sealed], TOPICS).offsets).toEqual([
      { topic: 'orders', partition: 0, nextOffset: 12 },
      { topic: 'orders', partition: 3, nextOffset: 7 },
    ])
  })

  it('joins segments in their order and keeps the last offset of each partition', () => {
    const first = segment([['orders', 0, 5]], [[[0, 'a']]])
    const second = segment([['orders', 0, 9]], [[[0, 'b']]])
    expect(recordsOf([first, second])).toEqual({ 'orders.sealed/0': ['a', 'b'] })
    expect(publicationOf([first, second], TOPICS).offsets).toEqual([
      { topic: 'orders', partition: 0, nextOffset: 9 },
    ])
  })

  it('reads reference values that lie inside a larger buffer', () => {
    const sealed = segment([['orders', 0, 1]], [[[0, 'abc']]])
    const larger = Buffer.from('xxabcxx')
    const [part] = sealed.parts
    const inside = { ...sealed, parts: [{ ...part, values: larger.subarray(2, 5) }] }
    expect(recordsOf([inside as SealedSegment])).toEqual({ 'orders.sealed/0': ['abc'] })
  })

  it('gives a record for a message set aside that says where and why, and nothing else', () => {
    const error = new SealError('SEAL_MESSAGE_UNSEALABLE', 'too large')
    const sealed = segment(
      [['orders', 2, 8]],
      [],
      [{ topic: 'orders', partition: 2, offset: 7, error }],
    )
    const records = recordsOf([sealed])
    expect(Object.keys(records)).toEqual(['orders.quarantine/2'])
    expect(JSON.parse(records['orders.quarantine/2']?.[0] ?? '')).toEqual({
      ...{ v: 1, topic: 'orders', partition: 2, offset: 7, reason: 'too large' },
    })
  })

  it('carries offsets alone when no message was sealed', () => {
    expect(publicationOf([segment([['orders', 0, 4]], [])], TOPICS)).toEqual({
      records: [],
      offsets: [{ topic: 'orders', partition: 0, nextOffset: 4 }],
    })
  })
})
