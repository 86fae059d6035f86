/** The outcome of a comparison of two samples. */
export interface MannWhitney {
  /** Pairs in which the first sample is smaller; ties count half. */
  readonly u: number
  /** Two-sided: how often chance alone makes samples differ at least so much. */
  readonly p: number
}

/** Above this the normal approximation is as good, and exact counting is slow. */
const EXACT_MAX = 20

/**
 * The Mann-Whitney U test: whether values of one sample tend to be smaller than those of another. It asks
 * for ranks alone, so it needs no normal distribution, and a single repeat that met a busy spell counts
 * as one repeat, however far off it is. Exact for small samples without ties, else by the normal
 * approximation with correction for ties and continuity.
 */
export function mannWhitney(first: readonly number[], second: readonly number[]): MannWhitney {
  let u = 0
  for (const a of first) {
    for (const b of second) u += a < b ? 1 : a === b ? 0.5 : 0
  }
  const [n, m] = [first.length, second.length]
  const hasTies = new Set([...first, ...second]).size < n + m
  const isExact = !hasTies && n <= EXACT_MAX && m <= EXACT_MAX
  return { u, p: isExact ? exactP(u, n, m) : normalP(u, first, second) }
}

/** Counts, of all ways to mix the samples, those with a U at least as far from its mean. */
function exactP(u: number, n: number, m: number): number {
  const counts = waysByU(n, m)
  const all = counts.reduce((sum, ways) => sum + ways, 0)
  const extreme = Math.min(u, n * m - u)
  const tail = counts.slice(0, extreme + 1).reduce((sum, ways) => sum + ways, 0)
  return Math.min(1, (2 * tail) / all)
}

/** How many orders of n and m values have each U: the coefficients of the Gaussian binomial. */
function waysByU(n: number, m: number): number[] {
  let ways = new Array<number>(n * m + 1).fill(0)
  ways[0] = 1
  for (let i = 1; i <= n; i++) {
    // Multiply by (1 - q^(m+i)), then divide by (1 - q^i).
    for (let u = n * m; u >= m + i; u--) ways[u] = at(ways, u) - at(ways, u - m - i)
    const next = [...ways]
    for (let u = i; u <= n * m; u++) next[u] = at(ways, u) + at(next, u - i)
    ways = next
  }
  return ways
}

function normalP(u: number, first: readonly number[], second: readonly number[]): number {
  const [n, m] = [first.length, second.length]
  const all = n + m
  let ties = 0
  for (const group of Map.groupBy([...first, ...second], (value) => value).values()) {
    ties += group.length ** 3 - group.length
  }
  const variance = ((n * m) / 12) * (all + 1 - ties / (all * (all - 1)))
  if (!(variance > 0)) return 1
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5)
  return 2 * upperTail(distance / Math.sqrt(variance))
}

/** Of the standard normal distribution, by Abramowitz and Stegun 26.2.17; within 1e-7. */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.231_641_9 * z)
  const series = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429]
  const sum = series.reduce((total, factor, i) => total + factor * t ** (i + 1), 0)
  return Math.min(0.5, (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum)
}

function at(list: readonly number[], index: number): number {
  return list[index] as number
}
