import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VARINT_BYTES_MAX, writeVarint } from '../../src/format/varint.ts'
import {
  type FrameRun,
  mergedRuns,
  RUN_MESSAGES_MAX,
  runColumns,
  runsOf,
} from '../../src/mapping/frame-runs.ts'
import { messagesIn } from '../../src/mapping/mapped-messages.ts'
import type { MappedMessage } from '../../src/mapping/mapping-store.ts'
import { packRun, unpackRun } from '../../src/mapping/packed-run.ts'
import { all, columnsOf, messagesFrom } from '../contracts/mapping-store.contract.ts'

const SOURCE = { topic: 'orders', partition: 7 }
const malformed = expect.objectContaining({ code: 'SEAL_MALFORMED' })

/** Mostly what the road makes, sometimes what only the bounds allow. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.nat(5_000) },
  { weight: 1, arbitrary: fc.nat(2 ** 40) },
)
const anyLength = fc.oneof(fc.integer({ min: 36, max: 5_000 }), fc.nat(0xffff_ffff))
const anyStart = fc.oneof(
  fc.nat(1_000),
  fc.maxSafeNat().filter((n) => n < 2 ** 52),
)

const anyRun: fc.Arbitrary<FrameRun> = fc
  .tuple(
    anyStart,
    anyStart,
    fc.array(fc.tuple(step, step, anyLength), { minLength: 1, maxLength: 60 }),
  )
  .map(([firstOffset, firstPosition, frames]) => {
    let [offset, position] = [firstOffset - 1, firstPosition]
    const placed = frames.map(([skipped, gap, length], i) => {
      offset += 1 + (i === 0 ? 0 : skipped)
      position += i === 0 ? 0 : gap
      const at = { ...SOURCE, offset, position, length }
      position += length
      return at
    })
    const { count: _, sources: __, source: ___, ...columns } = columnsOf(placed)
    return { ...SOURCE, ...columns }
  })

describe('a packed run', () => {
  it('gives back what was packed, and packs to the same bytes again', () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const packed = packRun(run)
        expect(packed).toMatchObject({ baseOffset: run.offset[0], lastOffset: run.offset.at(-1) })
        expect(unpackRun(SOURCE, packed)).toEqual(run)
        expect(packRun(unpackRun(SOURCE, packed)).packed.equals(packed.packed)).toBe(true)
      }),
    )
  })

  it('is refused when it is cut off, goes on, or has any bit flipped', () => {
    fc.assert(
      fc.property(anyRun, fc.uint8Array({ minLength: 1, maxLength: 9 }), (run, more) => {
        const packed = packRun(run)
        for (const bytes of [...truncations(packed.packed), ...bitFlips(packed.packed)]) {
          expect(() => unpackRun(SOURCE, { ...packed, packed: bytes })).toThrow(malformed)
        }
        const longer = Buffer.concat([packed.packed, more])
        expect(() => unpackRun(SOURCE, { ...packed, packed: longer })).toThrow(malformed)
      }),
      { numRuns: 40 },
    )
  })

  it('is refused under another count, first or last offset', () => {
    fc.assert(
      fc.property(
        anyRun,
        fc.constantFrom('count', 'baseOffset', 'lastOffset'),
        fc.oneof(fc.integer(), fc.double()),
        (run, column, value) => {
          const packed = packRun(run)
          fc.pre(packed[column] !== value)
          expect(() => unpackRun(SOURCE, { ...packed, [column]: value })).toThrow(malformed)
        },
      ),
    )
  })

  it('takes two bytes a frame of some KiB, and at most 21 whatever the frames', () => {
    const even = packRun(runsOf(columnsOf(messagesFrom(10 ** 9, 4_000))).next().value as FrameRun)
    expect(even.packed.length).toBeLessThan(4_000 * 1.01)
    const lengths = messagesFrom(0, RUN_MESSAGES_MAX).map((at, i) => ({
      ...at,
      position: i * 4_000,
      length: 1_000 + ((i * 7919) % 400),
    }))
    const apart = packRun(runsOf(columnsOf(lengths)).next().value as FrameRun)
    expect(apart.packed.length / RUN_MESSAGES_MAX).toBeLessThan(4.01)
    fc.assert(
      fc.property(anyRun, (run) => {
        expect(packRun(run).packed.length).toBeLessThanOrEqual(5 + 8 + 21 * run.offset.length)
      }),
    )
  })
})

describe('bytes with a true checksum that nobody packed', () => {
  const sealed = (count: number, baseOffset: number, lastOffset: number, body: number[]) => {
    const covered = Buffer.alloc(21, 1)
    covered.writeBigInt64BE(BigInt(baseOffset), 1)
    covered.writeBigInt64BE(BigInt(lastOffset), 9)
    covered.writeUInt32BE(count, 17)
    const packed = Buffer.from([1, 0, 0, 0, 0, ...body])
    packed.writeUInt32BE(crc32(Buffer.concat([covered, packed.subarray(5)])), 1)
    return { baseOffset, lastOffset, count, packed }
  }
  const varint = (value: number) => {
    const bytes = Buffer.alloc(VARINT_BYTES_MAX)
    return [...bytes.subarray(0, writeVarint(bytes, 0, value))]
  }
  const zeros = () => new Array<number>(RUN_MESSAGES_MAX + 2).fill(0)

  it('are taken when they follow the layout', () => {
    const run = sealed(2, 5, 7, [...varint(160), ...varint(80), ...varint(3), ...varint(1), 9])
    expect([...messagesIn(runColumns(unpackRun(SOURCE, run)))]).toEqual([
      { ...SOURCE, offset: 5, position: 160, length: 10 },
      { ...SOURCE, offset: 7, position: 179, length: 10 },
    ])
  })

  it.each([
    ['skips no offsets, and says so', sealed(1, 5, 5, [0, 1, 0])],
    ['leaves no gap, and says so', sealed(1, 5, 5, [0, 2, 0])],
    ['has a length below 0', sealed(1, 5, 5, [0, 4])],
    ['has a length beyond 32 bits', sealed(2, 5, 6, [0, ...varint(2 ** 35 - 8), ...varint(16)])],
    ['ends before its count', sealed(2, 5, 6, [0, 0])],
    ['ends at another offset', sealed(1, 5, 6, [0, 0])],
    ['has bytes behind its end', sealed(1, 5, 5, [0, 0, 0])],
    ['has more frames than a run may', sealed(RUN_MESSAGES_MAX + 1, 0, RUN_MESSAGES_MAX, zeros())],
    ['has no frames', sealed(0, 0, 0, [0])],
    ['goes beyond 2^53', sealed(2, 2 ** 53 - 2, 2 ** 53 - 1, [0, 0, 1, 1])],
  ])('are refused when a run %s', (_what, run) => {
    expect(() => unpackRun(SOURCE, run)).toThrow(malformed)
  })
})

describe('frames cut into runs and brought together again', () => {
  const partition = fc.nat(2)
  const topic = fc.constantFrom('a', 'a.b', 'a-b')
  /** A segment: its frames in their order, offsets of each source rising. */
  const anySegment = fc
    .array(fc.tuple(topic, partition, fc.integer({ min: 1, max: 3 }), fc.nat(40)), {
      maxLength: 120,
    })
    .map((frames) => {
      const next = new Map<string, number>()
      let position = 160
      return frames.map(([name, number, delta, size]): MappedMessage => {
        const source = `${name}/${number}`
        const offset = (next.get(source) ?? 0) + delta
        next.set(source, offset)
        const at = { topic: name, partition: number, offset, position, length: 36 + size }
        position += at.length
        return at
      })
    })
  const inOrder = (messages: readonly MappedMessage[]) =>
    messages.toSorted(
      (a, b) =>
        Buffer.compare(Buffer.from(a.topic), Buffer.from(b.topic)) ||
        a.partition - b.partition ||
        a.offset - b.offset,
    )
  /** Runs as a table gives them: whichever were written, each once, by their key. */
  const stored = async function* (cuts: readonly MappedMessage[][]): AsyncGenerator<FrameRun> {
    const runs = cuts.flatMap((cut) => [...runsOf(columnsOf(cut))])
    const keyOf = (run: FrameRun) => [run.topic, run.partition, run.offset[0], run.offset.at(-1)]
    const byKey = new Map(runs.map((run) => [keyOf(run).join(' '), run]))
    const first = (run: FrameRun) => ({
      ...messagesIn(runColumns(run)).next().value,
      last: run.offset.at(-1),
    })
    const rows = [...byKey.values()].map((run) => ({ run, ...first(run) }) as never)
    const sorted = inOrder(rows) as unknown as { readonly run: FrameRun }[]
    for (const { run } of sorted) yield run
  }
  const cutsOf = (messages: MappedMessage[], size: number) =>
    Array.from({ length: Math.ceil(messages.length / size) }, (_, i) =>
      messages.slice(i * size, (i + 1) * size),
    )

  it('are the same messages, each once, however often and wherever they were cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        anySegment,
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(120),
        async (messages, sizes, otherSize, others) => {
          const one = sizes.flatMap((size) => cutsOf(messages, size))
          const other = cutsOf(messages.slice(0, others), otherSize)
          const merged = await all(mergedRuns(stored(one), stored(other)))
          expect(merged.flatMap((run) => [...messagesIn(runColumns(run))])).toEqual(
            inOrder(messages),
          )
        },
      ),
    )
  })

  it('stay within the bound of a run, and end where offsets or positions go back', () => {
    const many = [...runsOf(columnsOf(messagesFrom(0, RUN_MESSAGES_MAX + 1)))]
    expect(many.map((run) => run.offset.length)).toEqual([RUN_MESSAGES_MAX, 1])
    const back = (offset: number, position: number) => ({ ...SOURCE, offset, position, length: 10 })
    const lengths = (frames: MappedMessage[]) =>
      [...runsOf(columnsOf(frames))].map((run) => run.offset.length)
    expect(lengths([back(1, 0), back(2, 10), back(2, 20)])).toEqual([2, 1])
    expect(lengths([back(1, 0), back(2, 10), back(3, 19)])).toEqual([2, 1])
  })
})

function truncations(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length }, (_, length) => bytes.subarray(0, length))
}

function bitFlips(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length * 8 }, (_, bit) => {
    const copy = Buffer.from(bytes)
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
    return copy
  })
}
