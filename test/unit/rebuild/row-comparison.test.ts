import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MappedMessage, SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { compareRows } from '../../../src/rebuild/row-comparison.ts'
import { columnsOf } from '../../contracts/mapping-store.contract.ts'

const anyRow: fc.Arbitrary<MappedMessage> = fc.record({
  topic: fc.constantFrom('a', 'a/1', 'b'),
  partition: fc.nat(2),
  offset: fc.oneof(fc.nat(8), fc.constantFrom(2 ** 32, Number.MAX_SAFE_INTEGER)),
  position: fc.nat(3),
  length: fc.nat(2),
})
const nameOf = ({ topic, partition, offset }: MappedMessage) =>
  JSON.stringify([topic, partition, offset])
const anyRows = fc.uniqueArray(anyRow, { selector: nameOf, maxLength: 40 })

const entry = {} as SegmentEntry
const readerOf = (rows: readonly MappedMessage[]) => ({
  async *framesOfSegment() {
    if (rows.length > 0) yield columnsOf(rows)
  },
})

describe('rows against the frames of an object', () => {
  it('are told message by message, whatever order they come in', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, anyRows, async (frames, rows) => {
        const byName = new Map(rows.map((row) => [nameOf(row), row]))
        const frameNames = new Set(frames.map(nameOf))
        const isSame = (a: MappedMessage, b: MappedMessage | undefined) =>
          a.position === b?.position && a.length === b.length
        const ordered = frames.toSorted((a, b) => a.offset - b.offset)
        expect(await compareRows(readerOf(rows), entry, columnsOf(ordered))).toEqual({
          missing: frames.filter((one) => !byName.has(nameOf(one))).length,
          elsewhere: frames.filter((one) => {
            const row = byName.get(nameOf(one))
            return row !== undefined && !isSame(one, row)
          }).length,
          extra: rows.filter((row) => !frameNames.has(nameOf(row))).length,
        })
      }),
      { numRuns: 500 },
    )
  })

  it('are equal when a forged index names a message twice and the row is one of the two', async () => {
    const frame = { topic: 'a', partition: 0, offset: 5, position: 160, length: 40 }
    const frames = columnsOf([frame, { ...frame, position: 200 }])
    expect(await compareRows(readerOf([frame]), entry, frames)).toEqual({
      ...{ missing: 0, elsewhere: 0, extra: 0 },
    })
  })
})
