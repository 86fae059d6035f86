import { beforeEach, describe, expect, it } from 'vitest'
import { budgetedKms } from '../../src/keys/budgeted-kms.ts'
import { PacedBudget } from '../../src/paced-budget.ts'
import { FakeKms } from '../support/fake-kms.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { KEK_ID } from '../support/sealed-segment.ts'

let clock: ManualClock
beforeEach(() => {
  clock = new ManualClock()
})

describe('a paced budget', () => {
  it('lets through what a burst has room for, and then no more than its pace', async () => {
    const budget = new PacedBudget(clock, { perSecond: 10, burstMs: 1_000 })
    for (let i = 0; i < 4; i++) await budget.take(5)
    expect(clock.slept).toEqual([500, 500])
  })

  it('saves nothing up without a burst', async () => {
    const budget = new PacedBudget(clock, { perSecond: 10, burstMs: 0 })
    await budget.take(1)
    clock.advance(60_000)
    await budget.take(1)
    await budget.take(2)
    expect(clock.slept).toEqual([100, 100, 200])
  })

  it('goes by another pace from when it is told', async () => {
    const budget = new PacedBudget(clock, { perSecond: Number.POSITIVE_INFINITY, burstMs: 0 })
    await budget.take(1e12)
    budget.setPace(100)
    await budget.take(10)
    expect(clock.slept).toEqual([100])
    expect(budget.perSecond).toBe(100)
  })

  it('keeps nobody waiting who stops', async () => {
    const stop = new AbortController()
    const budget = new PacedBudget(clock, { perSecond: 1, burstMs: 0 }, stop.signal)
    stop.abort()
    await budget.take(1e6)
    expect(clock.slept).toEqual([])
  })
})

describe('a KMS within a budget', () => {
  it('is asked at its pace, and a rewrap counts as two', async () => {
    const fake = new FakeKms(KEK_ID)
    const kms = budgetedKms(fake, new PacedBudget(clock, { perSecond: 10, burstMs: 0 }))
    const made = await kms.generateDataKey(KEK_ID, {})
    await kms.unwrap(KEK_ID, made.wrapped, {})
    await kms.rewrap(KEK_ID, made.wrapped, KEK_ID, {})
    expect(clock.slept).toEqual([100, 100, 200])
  })
})
