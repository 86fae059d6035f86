import type { Clock } from '../clock.ts'
import type { PacedBudget } from '../paced-budget.ts'
import type { PartRunner } from '../pipeline/part-task.ts'
import type { ResealRunner } from './reseal-task.ts'

/** Bytes a second between which re-encryption moves. */
export interface YieldLimits {
  readonly bytesPerSecondMin: number
  readonly bytesPerSecondMax: number
}

/** What a part of sealing may take longer beside re-encryption before that slows down. */
const SLOWER_MAX = 1.1
/** The share of parts that is compared: the slowest tenth is what p99 comes from. */
const QUANTILE = 0.9
/** Of each kind, before anything is concluded. */
const SAMPLES_MIN = 8
const SAMPLES_MAX = 64
const DECIDE_EVERY_MS = 1_000
const BACK_OFF = 0.5
const STEPS_UP = 32
/** Of the most, to begin with. */
const START_SHARE = 0.25
/** Sealing that is always busy must not hold re-encryption up for ever. */
const GATE_MS_MAX = 2_000
/** After so long without a part of sealing that was alone, a pause is made to see some again. */
const ALONE_AGED_MS = 20_000
const PAUSE_MS = 2_000

/**
 * Lets sealing go first in a process that also re-encrypts. A range is begun only when no part of
 * sealing is under way; and the pace of re-encryption comes down by half when parts take longer beside
 * it than alone, and up again in small steps when they do not.
 */
export class LiveFirst {
  readonly #clock: Clock
  readonly #alone = new Samples()
  readonly #beside = new Samples()
  #parts = 0
  #ranges = 0
  /** Counts begun ranges: a part saw one if that, or their number at its begin, says so. */
  #rangesBegun = 0
  #idle = Promise.withResolvers<void>()
  #pausedUntilMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
    this.#idle.resolve()
  }

  /** The runner of the road, watched. */
  parts(runner: PartRunner): PartRunner {
    return {
      run: async (task) => {
        if (this.#parts++ === 0) this.#idle = Promise.withResolvers()
        const startedAtMs = this.#clock.elapsedMs()
        const [ranges, begun] = [this.#ranges, this.#rangesBegun]
        try {
          return await runner.run(task)
        } finally {
          if (--this.#parts === 0) this.#idle.resolve()
          const nowMs = this.#clock.elapsedMs()
          const isAlone = ranges === 0 && begun === this.#rangesBegun
          const samples = isAlone ? this.#alone : this.#beside
          samples.add(nowMs - startedAtMs, nowMs)
        }
      },
      close: () => runner.close(),
    }
  }

  /** The runner of a re-encryption, which waits for its turn, and whose budget is governed. */
  ranges(runner: ResealRunner, budget: PacedBudget, limits: YieldLimits): ResealRunner {
    let decidedAtMs = this.#clock.elapsedMs()
    budget.setPace(Math.max(limits.bytesPerSecondMin, limits.bytesPerSecondMax * START_SHARE))
    return {
      run: async (task) => {
        await this.#turn()
        const nowMs = this.#clock.elapsedMs()
        if (nowMs - decidedAtMs >= DECIDE_EVERY_MS) {
          decidedAtMs = nowMs
          this.#govern(budget, limits, nowMs)
        }
        this.#ranges++
        this.#rangesBegun++
        try {
          return await runner.run(task)
        } finally {
          this.#ranges--
        }
      },
      close: () => runner.close(),
    }
  }

  async #turn(): Promise<void> {
    const pauseMs = this.#pausedUntilMs - this.#clock.elapsedMs()
    if (pauseMs > 0) await this.#clock.sleep(pauseMs)
    const late = new AbortController()
    const gate = this.#clock.sleep(GATE_MS_MAX, late.signal)
    await Promise.race([this.#idle.promise, gate])
    late.abort()
  }

  #govern(budget: PacedBudget, limits: YieldLimits, nowMs: number): void {
    const { bytesPerSecondMin: least, bytesPerSecondMax: most } = limits
    if (nowMs - this.#alone.latestAtMs > ALONE_AGED_MS && this.#beside.count > 0) {
      this.#pausedUntilMs = nowMs + PAUSE_MS
      this.#alone.latestAtMs = nowMs
    }
    if (this.#alone.count < SAMPLES_MIN || this.#beside.count < SAMPLES_MIN) return
    const isFelt = this.#beside.quantile() > this.#alone.quantile() * SLOWER_MAX
    const pace = isFelt ? budget.perSecond * BACK_OFF : budget.perSecond + most / STEPS_UP
    budget.setPace(Math.min(most, Math.max(least, pace)))
    this.#beside.clear()
  }
}

/** The latest durations of one kind. */
class Samples {
  #ms: number[] = []
  latestAtMs = 0

  get count(): number {
    return this.#ms.length
  }

  add(ms: number, atMs: number): void {
    this.latestAtMs = atMs
    this.#ms.push(ms)
    if (this.#ms.length > SAMPLES_MAX) this.#ms.shift()
  }

  quantile(): number {
    const sorted = this.#ms.toSorted((a, b) => a - b)
    return sorted[Math.floor(sorted.length * QUANTILE)] ?? 0
  }

  clear(): void {
    this.#ms = []
  }
}
