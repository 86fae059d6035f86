import { describe, expect, test } from 'vitest'
import { LatencyHistogram } from '../../../bench/stats/histogram.ts'
import { mannWhitney } from '../../../bench/stats/mann-whitney.ts'
import { medianOf } from '../../../bench/stats/median.ts'

describe('the Mann-Whitney test', () => {
  test('counts exactly where samples are small', () => {
    // Two samples of five that are apart: 2 of 252 orders are so far off.
    const apart = mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    expect(apart.u).toBe(25)
    expect(apart.p).toBeCloseTo(2 / 252, 10)
    // U = 4 of 16 in samples of four: 24 of 70 orders (published tables give 0.343).
    expect(mannWhitney([1, 3, 6, 8], [2, 5, 7, 4]).p).toBeGreaterThan(0.3)
    expect(mannWhitney([3, 5, 7, 8], [1, 2, 4, 6]).p).toBeCloseTo(0.2, 2)
  })

  test('says the same whichever sample comes first', () => {
    const [first, second] = [
      [1, 4, 5, 9, 12],
      [2, 3, 10, 11, 13, 14],
    ]
    expect(mannWhitney(first, second).p).toBeCloseTo(mannWhitney(second, first).p, 12)
  })

  test('counts every order as the formula does, by trying them all', () => {
    const n = 3
    const values = [1, 2, 3, 4, 5, 6, 7]
    const us = subsets(values, n).map((first) => {
      const second = values.filter((value) => !first.includes(value))
      return mannWhitney(first, second)
    })
    for (const { u, p } of us) {
      const middle = (n * (values.length - n)) / 2
      const asFar = us.filter((other) => Math.abs(other.u - middle) >= Math.abs(u - middle))
      expect(p).toBeCloseTo(asFar.length / us.length, 10)
    }
  })

  test('allows for ties, and for samples that are all the same', () => {
    expect(mannWhitney([1, 1, 1], [1, 1, 1]).p).toBe(1)
    const p = mannWhitney([1, 2, 2, 3, 3, 3], [3, 4, 4, 5, 5, 5]).p
    expect(p).toBeGreaterThan(0.004)
    expect(p).toBeLessThan(0.02)
  })

  test('goes over to the normal approximation without a jump', () => {
    const first = Array.from({ length: 21 }, (_, i) => i * 2)
    const second = Array.from({ length: 21 }, (_, i) => i * 2 + 9)
    const exact = mannWhitney(first.slice(0, 20), second.slice(0, 20)).p
    expect(mannWhitney(first, second).p).toBeCloseTo(exact, 1)
  })
})

function subsets(values: readonly number[], n: number): number[][] {
  if (n === 0) return [[]]
  return values.flatMap((value, i) =>
    subsets(values.slice(i + 1), n - 1).map((rest) => [value, ...rest]),
  )
}

describe('a median', () => {
  test('is the middle, or the mean of the two in the middle', () => {
    expect(medianOf([5, 1, 3])).toBe(3)
    expect(medianOf([4, 1, 3, 2])).toBe(2.5)
    expect(medianOf([])).toBeNaN()
  })
})

describe('a histogram of latencies', () => {
  test('gives quantiles within a thousandth', () => {
    const histogram = new LatencyHistogram()
    for (let ms = 1; ms <= 10_000; ms++) histogram.record(ms)
    const latencies = histogram.latencies()
    expect(latencies?.count).toBe(10_000)
    for (const [found, due] of [
      [latencies?.p50Ms, 5_000],
      [latencies?.p95Ms, 9_500],
      [latencies?.p99Ms, 9_900],
      [latencies?.p999Ms, 9_990],
      [latencies?.maxMs, 10_000],
    ] as const) {
      expect(Math.abs((found ?? 0) / due - 1)).toBeLessThan(0.001)
    }
  })

  test('is, when added to another, as if all had been recorded in one', () => {
    const [odd, even, all] = [1, 2, 3].map(() => new LatencyHistogram())
    for (let ms = 1; ms <= 1_000; ms++) {
      const one = ms % 2 === 0 ? even : odd
      one?.record(ms)
      all?.record(ms)
    }
    odd?.add(even as LatencyHistogram)
    expect(odd?.latencies()).toEqual(all?.latencies())
  })

  test('holds what is faster than a microsecond, and knows when it is empty', () => {
    const histogram = new LatencyHistogram()
    expect(histogram.latencies()).toBeNull()
    histogram.record(-3)
    expect(histogram.latencies()?.maxMs).toBe(0.001)
  })
})
