import { describe, expect, test } from 'vitest'
import { slopePerSecond } from '../../../bench/latency/slope.ts'
import {
  arrivalsUpTo,
  between,
  dueOf,
  intendedMs,
  sinceIntended,
} from '../../../bench/latency/timeline.ts'

const SCHEDULE = { startMs: 1_000, perSecond: 100, partitions: 4 }

describe('the schedule of an open loop', () => {
  test('spreads messages evenly over time and partitions', () => {
    expect(intendedMs(SCHEDULE, 0, 0)).toBe(1_000)
    expect(intendedMs(SCHEDULE, 3, 0)).toBe(1_030)
    expect(intendedMs(SCHEDULE, 0, 1)).toBe(1_040)
  })

  test('splits what is due among the partitions without losing one', () => {
    for (let due = 0; due < 20; due++) {
      const parts = [0, 1, 2, 3].map((partition) => dueOf(due, partition, 4))
      expect(parts.reduce((sum, count) => sum + count, 0)).toBe(due)
      expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1)
    }
  })
})

describe('latencies', () => {
  test('are charged from when a message was meant to be sent, so a stall counts for all it held up', () => {
    const arrivals = [{ partition: 0, from: 0, to: 3, atMs: 2_000 }]
    const latencies = sinceIntended(SCHEDULE, arrivals).latencies()
    expect(latencies?.count).toBe(3)
    expect(latencies?.maxMs).toBeCloseTo(1_000, -1)
    expect(latencies?.p50Ms).toBeCloseTo(960, -1)
  })

  test('between two stages go by offset, however either cuts the messages', () => {
    const read = [
      { partition: 0, from: 0, to: 5, atMs: 0 },
      { partition: 0, from: 5, to: 10, atMs: 100 },
      { partition: 1, from: 0, to: 2, atMs: 500 },
    ]
    const sealed = [
      { partition: 0, from: 0, to: 7, atMs: 200 },
      { partition: 0, from: 7, to: 12, atMs: 300 },
    ]
    const latencies = between(read, sealed).latencies()
    // Of 0 to 9: five waited 200, two 100, three 200; 10 and 11 were never seen before.
    expect(latencies?.count).toBe(10)
    expect(latencies?.maxMs).toBeCloseTo(200, 0)
    expect(
      between(read, [{ partition: 0, from: 5, to: 7, atMs: 200 }]).latencies()?.maxMs,
    ).toBeCloseTo(100, 0)
  })

  test('of "all up to here" take what is new', () => {
    const marks = [
      { partition: 0, to: 4, atMs: 1 },
      { partition: 1, to: 2, atMs: 2 },
      { partition: 0, to: 4, atMs: 3 },
      { partition: 0, to: 9, atMs: 4 },
    ]
    expect(arrivalsUpTo(marks)).toEqual([
      { partition: 0, from: 0, to: 4, atMs: 1 },
      { partition: 1, from: 0, to: 2, atMs: 2 },
      { partition: 0, from: 4, to: 9, atMs: 4 },
    ])
  })
})

describe('the rate at which references arrive', () => {
  test('does not depend on where between two commits one looks', () => {
    const arrivals = Array.from({ length: 20 }, (_, i) => ({
      ...{ partition: 0, from: i * 50, to: (i + 1) * 50, atMs: 1_370 + i * 1_000 },
    }))
    expect(slopePerSecond(arrivals, 5_000, 15_000)).toBeCloseTo(50, 6)
    expect(slopePerSecond(arrivals, 5_400, 15_400)).toBeCloseTo(50, 6)
    expect(slopePerSecond([], 0, 1_000)).toBe(0)
  })
})
