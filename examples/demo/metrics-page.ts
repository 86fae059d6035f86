const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g

interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** P50, P95 and P99 of a histogram, in milliseconds. */
export interface Quantiles {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** One answer of /metrics, for look-ups by name and labels. */
export class MetricsPage {
  readonly #samples = new Map<string, Sample[]>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = LINE.exec(line) ?? []
      if (name === undefined || value === undefined) continue
      const pairs = [...labels.matchAll(LABEL)].map((match) => [match[1], match[2]])
      const sample = { labels: Object.fromEntries(pairs), value: Number(value) }
      const known = this.#samples.get(name)
      if (known === undefined) this.#samples.set(name, [sample])
      else known.push(sample)
    }
  }

  /** The sum of all samples of a metric that carry these labels; 0 when there are none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.#matching(name, labels).reduce((sum, { value }) => sum + value, 0)
  }

  /** Quantiles of a histogram of seconds, interpolated as Prometheus does; null when it is empty. */
  quantiles(name: string, labels: Readonly<Record<string, string>> = {}): Quantiles | null {
    const counts = new Map<number, number>()
    for (const { labels: own, value } of this.#matching(`${name}_bucket`, labels)) {
      const bound = own.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(own.le)
      counts.set(bound, (counts.get(bound) ?? 0) + value)
    }
    const buckets = [...counts].sort(([a], [b]) => a - b)
    if ((buckets.at(-1)?.[1] ?? 0) === 0) return null
    const at = (rank: number) => quantile(buckets, rank) * 1000
    return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) }
  }

  #matching(name: string, labels: Readonly<Record<string, string>>): readonly Sample[] {
    const wanted = Object.entries(labels)
    const samples = this.#samples.get(name) ?? []
    return samples.filter(({ labels: own }) => wanted.every(([key, value]) => own[key] === value))
  }
}

function quantile(buckets: readonly (readonly [number, number])[], rank: number): number {
  const target = (buckets.at(-1)?.[1] ?? 0) * rank
  let lowerBound = 0
  let lowerCount = 0
  for (const [bound, count] of buckets) {
    if (count >= target) {
      // Above the last bound nothing is known: Prometheus answers with the bound, and so do we.
      if (bound === Number.POSITIVE_INFINITY) return lowerBound
      const share = count === lowerCount ? 1 : (target - lowerCount) / (count - lowerCount)
      return lowerBound + (bound - lowerBound) * share
    }
    lowerBound = bound
    lowerCount = count
  }
  return lowerBound
}
