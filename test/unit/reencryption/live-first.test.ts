import { beforeEach, describe, expect, it } from 'vitest'
import { PacedBudget } from '../../../src/paced-budget.ts'
import type { PartResult, PartRunner, PartTask } from '../../../src/pipeline/part-task.ts'
import { LiveFirst } from '../../../src/reencryption/live-first.ts'
import type {
  ResealResult,
  ResealRunner,
  ResealTask,
} from '../../../src/reencryption/reseal-task.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const LIMITS = { bytesPerSecondMin: 1_000, bytesPerSecondMax: 32_000 }

/** Runs end when a test says so. */
class Ends<T> {
  readonly waiting: ((result: T) => void)[] = []
  run = () => new Promise<T>((resolve) => void this.waiting.push(resolve))
  end = async () => {
    this.waiting.shift()?.({ ok: true } as T)
    await turn()
  }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Passes no time by itself while somebody waits. */
class StillClock extends ManualClock {
  override sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(delayMs)
    return new Promise((resolve) => {
      if (signal?.aborted) resolve()
      signal?.addEventListener('abort', () => resolve())
    })
  }
}

let clock: StillClock
let budget: PacedBudget
let parts: Ends<PartResult>
let ranges: Ends<ResealResult>
let live: PartRunner
let reseal: ResealRunner
beforeEach(() => {
  clock = new StillClock()
  budget = new PacedBudget(clock, { perSecond: 32_000, burstMs: 0 })
  parts = new Ends()
  ranges = new Ends()
  const first = new LiveFirst(clock)
  const close = async () => {}
  live = first.parts({ run: parts.run, close })
  reseal = first.ranges({ run: ranges.run, close }, budget, LIMITS)
})
const seal = () => live.run({} as PartTask)
const move = () => reseal.run({} as ResealTask)

/** Parts that take so long, one after the other. */
async function sealMany(count: number, tookMs: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const sealed = seal()
    clock.advance(tookMs)
    await parts.end()
    await sealed
  }
}

/** The same beside a range, which ends a second later. */
async function sealBeside(count: number, tookMs: number): Promise<void> {
  const moved = move()
  await turn()
  await sealMany(count, tookMs)
  clock.advance(1_001)
  await ranges.end()
  await moved
}

describe('re-encryption beside sealing', () => {
  it('begins no range while a part is under way', async () => {
    const sealed = seal()
    const moved = move()
    await turn()
    expect(ranges.waiting).toHaveLength(0)
    await parts.end()
    await sealed
    await turn()
    expect(ranges.waiting).toHaveLength(1)
    await ranges.end()
    await moved
  })

  it('does not wait for ever where something is always under way', async () => {
    void seal()
    void move()
    await turn()
    expect(clock.slept).toEqual([2_000])
  })

  it('begins slowly, and goes faster while nobody feels it', async () => {
    expect(budget.perSecond).toBe(8_000)
    await sealMany(20, 50)
    for (let i = 0; i < 3; i++) await sealBeside(10, 52)
    expect(budget.perSecond).toBe(10_000)
    for (let i = 0; i < 60; i++) {
      await sealMany(2, 50)
      await sealBeside(10, 50)
    }
    expect(budget.perSecond).toBe(32_000)
  })

  it('goes half as fast when parts take longer beside it than alone, and never stops', async () => {
    await sealMany(20, 50)
    await sealBeside(10, 80)
    await sealBeside(10, 80)
    expect(budget.perSecond).toBe(4_000)
    for (let i = 0; i < 6; i++) await sealBeside(10, 80)
    expect(budget.perSecond).toBe(1_000)
  })

  it('pauses when sealing was not seen alone for long', async () => {
    await sealMany(20, 50)
    await sealBeside(10, 2_100)
    void move()
    await turn()
    expect(ranges.waiting).toHaveLength(1)
    void move()
    await turn()
    expect(ranges.waiting).toHaveLength(1)
    expect(clock.slept.at(-1)).toBe(2_000)
    clock.advance(2_000)
    void move()
    await turn()
    expect(ranges.waiting).toHaveLength(2)
  })

  it('concludes nothing from a few', async () => {
    await sealMany(3, 50)
    await sealBeside(3, 500)
    await sealBeside(3, 500)
    expect(budget.perSecond).toBe(8_000)
  })
})
