import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { parseReferences, ReferenceListWriter } from '../../../src/format/reference-list.ts'
import { publicationOf } from '../../../src/pipeline/publication.ts'
import type { SealedGroup, SealedSegment } from '../../../src/pipeline/segment-plan.ts'
import { runsOf, valuesOf } from '../../support/record-runs.ts'

const TOPICS = { referenceTopicSuffix: '.sealed', quarantineTopicSuffix: '.quarantine' }

type Source = readonly [topic: string, partition: number, nextOffset: number]
type Frame = readonly [source: number, value: string]

function segment(sources: Source[], parts: Frame[][]): SealedSegment {
  return {
    key: { dekId: 'd', segmentId: 's' },
    sources: sources.map(([topic, partition], index) => ({ topic, partition, index })),
    references: parts.flatMap((frames) =>
      sources.flatMap((_, source) => {
        const own = frames.filter(([one]) => one === source)
        return runsOf(own.map(([, value]) => Buffer.from(value))).map((run) => ({ ...run, source }))
      }),
    ),
    messageCount: parts.flat().length,
  }
}

/** A group of one segment. */
function group(
  sources: Source[],
  parts: Frame[][],
  quarantined: SealedGroup['quarantined'] = [],
): SealedGroup {
  return groupOf([segment(sources, parts)], [], sources, quarantined)
}

function groupOf(
  segments: SealedSegment[],
  orders: number[][],
  sources: Source[],
  quarantined: SealedGroup['quarantined'] = [],
): SealedGroup {
  return {
    ...{ segments, quarantined, chargedBytes: 0, openedAtMs: 0, createdAtMs: 0 },
    progress: sources.map(([topic, partition, nextOffset], i) => {
      return { topic, partition, nextOffset, order: orders[i] ?? null }
    }),
    messageCount: segments.reduce((sum, { messageCount }) => sum + messageCount, 0),
  }
}

/** Records by place, their values as text. */
function recordsOf(groups: SealedGroup[]): Record<string, string[]> {
  const { records } = publicationOf(groups, TOPICS)
  return Object.fromEntries(
    records.map(({ topic, partition, runs }) => [
      `${topic}/${partition}`,
      valuesOf(runs).map(String),
    ]),
  )
}

describe('publicationOf', () => {
  it('gives every reference to the partition of the same number, in order over all parts', () => {
    const sealed = group(
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

  it('joins groups in their order and keeps the last offset of each partition', () => {
    const first = group([['orders', 0, 5]], [[[0, 'a']]])
    const second = group([['orders', 0, 9]], [[[0, 'b']]])
    expect(recordsOf([first, second])).toEqual({ 'orders.sealed/0': ['a', 'b'] })
    expect(publicationOf([first, second], TOPICS).offsets).toEqual([
      { topic: 'orders', partition: 0, nextOffset: 9 },
    ])
  })

  it('joins small runs of a partition, and leaves large ones as they are', () => {
    const [small, large] = ['x'.repeat(1_000), 'y'.repeat(40_000)]
    const groups = [small, small, large, small, small].map((value) =>
      group([['orders', 0, 1]], [[[0, value]]]),
    )
    const [record] = publicationOf(groups, TOPICS).records
    expect(record?.runs.map(({ count }) => count)).toEqual([2, 1, 2])
    expect(recordsOf(groups)).toEqual({ 'orders.sealed/0': [small, small, large, small, small] })
  })

  it('gives a record for a message set aside that says where and why, and nothing else', () => {
    const error = new SealError('SEAL_MESSAGE_UNSEALABLE', 'too large')
    const sealed = group(
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

  it('merges the references of segments that share partitions in the order of packing', () => {
    const acme = segment(
      [
        ['orders', 0, 0],
        ['orders', 1, 0],
      ],
      [[[0, 'a0']], [[1, 'a1']], [[0, 'a2']]],
    )
    const beta = segment([['orders', 0, 0]], [[[0, 'b0']], [[0, 'b1']]])
    const sources: Source[] = [
      ['orders', 0, 5],
      ['orders', 1, 2],
    ]
    const sealed = groupOf([acme, beta], [[0, 1, 1, 0], [0]], sources)
    expect(recordsOf([sealed])).toEqual({
      'orders.sealed/0': ['a0', 'b0', 'b1', 'a2'],
      'orders.sealed/1': ['a1'],
    })
  })

  it('merges values that name several messages to values that name what follows one another', () => {
    const listed = (name: string, offsets: number[]) => {
      const values: Frame[] = []
      const object = `p/segments/d/${name}.seal`
      const writer = new ReferenceListWriter({ object, topic: 'orders', partition: 0 }, (value) =>
        values.push([0, value]),
      )
      for (const offset of offsets) writer.add(offset, 160 + offset * 50, 50)
      writer.flush()
      return segment([['orders', 0, 0]], [values])
    }
    const order = [0, 0, 1, 0, 1, 1, 1]
    const segments = [listed('a', [0, 1, 3]), listed('b', [2, 4, 5, 6])]
    const sealed = groupOf(segments, [order], [['orders', 0, 7]])
    const lists = (recordsOf([sealed])['orders.sealed/0'] ?? []).map(parseReferences)
    expect(lists.map((list) => list.map(({ offset }) => offset))).toEqual([
      [0, 1],
      [2],
      [3],
      [4, 5, 6],
    ])
    const [objects, positions] = [
      lists.map((list) => list[0]?.object),
      lists.map((list) => list[0]?.position),
    ]
    expect(objects.map((object) => object?.at(-6))).toEqual(['a', 'b', 'a', 'b'])
    expect(positions).toEqual([160, 260, 310, 360])
  })

  it('carries offsets alone when no message was sealed', () => {
    expect(publicationOf([group([['orders', 0, 4]], [])], TOPICS)).toEqual({
      records: [],
      offsets: [{ topic: 'orders', partition: 0, nextOffset: 4 }],
    })
  })
})
