import type { ReferenceLog } from '../../src/incident/reference-log.ts'

interface Logged {
  readonly atMs: number
  readonly value: Buffer
}

/** The reference topics in memory: one partition, which may have lost its beginning. */
export class MemoryReferenceLog implements ReferenceLog {
  readonly topics: readonly string[]
  /** What every reading so far began with. */
  readonly reads: number[] = []
  /** An open transaction hides what comes after it. */
  isHidden = false
  #log: Logged[] = []
  #isCut = false

  constructor(topics: readonly string[]) {
    this.topics = topics
  }

  append(values: readonly Buffer[], atMs: number): void {
    this.#log.push(...values.map((value) => ({ atMs, value })))
  }

  /** What the retention of Kafka does. */
  dropBefore(atMs: number): void {
    this.drop(this.#log.filter((one) => one.atMs < atMs).length)
  }

  drop(count: number): void {
    this.#isCut = true
    this.#log = this.#log.slice(count)
  }

  async read(sinceMs: number, onValues: (values: readonly Uint8Array[]) => void): Promise<number> {
    this.reads.push(sinceMs)
    onValues(this.#log.filter(({ atMs }) => atMs >= sinceMs).map(({ value }) => value))
    if (this.isHidden) return Number.POSITIVE_INFINITY
    const oldestMs = this.#log[0]?.atMs ?? Number.POSITIVE_INFINITY
    return this.#isCut && oldestMs >= sinceMs ? oldestMs : Number.NEGATIVE_INFINITY
  }
}
