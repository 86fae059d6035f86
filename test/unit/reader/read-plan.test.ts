import { describe, expect, it } from 'vitest'
import type { Reference } from '../../../src/format/reference-value.ts'
import { planReads } from '../../../src/reader/read-plan.ts'

const KIB = 1024
const MIB = 1024 * KIB

function reference(position: number, length = 100, object = 'a.seal'): Reference {
  return { object, topic: 't', partition: 0, offset: 0, position, length }
}

const shapes = (references: Reference[]) =>
  planReads(references).map(({ object, position, length, entries }) => [
    ...[object, position, length],
    entries.map(({ index }) => index),
  ])

describe('planReads', () => {
  it('plans nothing for nothing', () => {
    expect(planReads([])).toEqual([])
  })

  it('joins neighbours of one object, in whatever order they are asked for', () => {
    expect(shapes([reference(260), reference(160), reference(360)])).toEqual([
      ['a.seal', 160, 300, [1, 0, 2]],
    ])
  })

  it('reads each object on its own', () => {
    expect(shapes([reference(160), reference(160, 100, 'b.seal')])).toEqual([
      ['a.seal', 160, 100, [0]],
      ['b.seal', 160, 100, [1]],
    ])
  })

  it('reads along a gap of up to 64 KiB', () => {
    expect(shapes([reference(0), reference(100 + 64 * KIB)])).toHaveLength(1)
    expect(shapes([reference(0), reference(101 + 64 * KIB)])).toHaveLength(2)
  })

  it('joins up to 8 MiB, and reads a larger frame alone', () => {
    expect(shapes([reference(0, 4 * MIB), reference(4 * MIB, 4 * MIB)])).toHaveLength(1)
    expect(shapes([reference(0, 4 * MIB), reference(4 * MIB, 4 * MIB + 1)])).toHaveLength(2)
    expect(shapes([reference(0, 20 * MIB), reference(20 * MIB)])).toEqual([
      ['a.seal', 0, 20 * MIB, [0]],
      ['a.seal', 20 * MIB, 100, [1]],
    ])
  })

  it('reads a frame once when it is asked for twice', () => {
    expect(shapes([reference(160), reference(160)])).toEqual([['a.seal', 160, 100, [0, 1]]])
  })

  it('covers a forged reference that reaches over its neighbours', () => {
    expect(shapes([reference(160, 1000), reference(260)])).toEqual([['a.seal', 160, 1000, [0, 1]]])
  })
})
