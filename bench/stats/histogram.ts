import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** What latencies were like, in milliseconds. Quantiles are within a thousandth. */
export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

const US_PER_MS = 1000
const HIGHEST_US = 3_600_000_000
const FIGURES = 3

/**
 * A high dynamic range histogram of latencies: the one in Node itself (HdrHistogram in C), so it costs no
 * dependency. Whatever is recorded counts, in buckets of a thousandth of its size, so that the rare
 * slow ones are as exact as the many fast ones, and histograms can be added.
 */
export class LatencyHistogram {
  readonly #histogram: RecordableHistogram = createHistogram({
    ...{ lowest: 1, highest: HIGHEST_US, figures: FIGURES },
  })

  /** Takes one latency in. Below a microsecond it counts as one. */
  record(ms: number): void {
    this.#histogram.record(Math.min(HIGHEST_US, Math.max(1, Math.round(ms * US_PER_MS))))
  }

  /** Takes everything in that another one holds. */
  add(other: LatencyHistogram): void {
    this.#histogram.add(other.#histogram)
  }

  /** Quantiles of all that was recorded; null when nothing was. */
  latencies(): Latencies | null {
    const histogram = this.#histogram
    if (histogram.count === 0) return null
    const at = (percent: number) => histogram.percentile(percent) / US_PER_MS
    return {
      count: histogram.count,
      ...{ p50Ms: at(50), p95Ms: at(95), p99Ms: at(99), p999Ms: at(99.9) },
      maxMs: histogram.max / US_PER_MS,
    }
  }
}
