import type { Arrival } from './timeline.ts'

/**
 * How many messages a second arrived between two moments: the slope of a straight line through the counts
 * at each arrival (least squares), since counts at two moments depend on where between two commits these lie.
 */
export function slopePerSecond(arrivals: readonly Arrival[], fromMs: number, toMs: number): number {
  const inOrder = arrivals.toSorted((a, b) => a.atMs - b.atMs)
  let count = 0
  const points: (readonly [seconds: number, count: number])[] = []
  for (const { from, to, atMs } of inOrder) {
    count += to - from
    if (atMs >= fromMs && atMs <= toMs) points.push([(atMs - fromMs) / 1000, count])
  }
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)]
  const covariance = mean(([x, y]) => (x - meanX) * (y - meanY))
  const variance = mean(([x]) => (x - meanX) ** 2)
  return variance > 0 ? covariance / variance : 0
}
