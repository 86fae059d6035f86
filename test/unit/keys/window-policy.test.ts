import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ExposureBudget, windowPolicyOf } from '../../../src/keys/window-policy.ts'
import { DEK_AGE_MS_MAX, DEK_MESSAGES_MAX } from '../../../src/limits.ts'

const HOUR_MS = 3_600_000
const WINDOW = {
  ...{ ageMs: HOUR_MS, messagesMax: 1_000_000, bytesMax: 2 ** 30, outageFactor: 4, reserve: 0 },
}

describe('the policy of windows', () => {
  it('stretches by the outage factor', () => {
    expect(windowPolicyOf(WINDOW)).toEqual({
      soft: { ageMs: HOUR_MS, messagesMax: 1_000_000, bytesMax: 2 ** 30 },
      hard: { ageMs: 4 * HOUR_MS, messagesMax: 4_000_000, bytesMax: 2 ** 32 },
      reserve: 0,
    })
  })

  it('derives windows from a budget, which is the hard limit', () => {
    const budget = { messagesMax: 40_000, bytesMax: 2 ** 20, ageMs: 60_000 }
    expect(windowPolicyOf(WINDOW, budget)).toMatchObject({
      soft: { ageMs: 15_000, messagesMax: 10_000, bytesMax: 2 ** 18 },
      hard: { ageMs: 60_000, messagesMax: 40_000, bytesMax: 2 ** 20 },
    })
  })

  it('lets no budget widen a window, and no factor pass the absolute bounds', () => {
    const wide = { messagesMax: DEK_MESSAGES_MAX, ageMs: DEK_AGE_MS_MAX }
    expect(windowPolicyOf(WINDOW, wide)).toEqual(windowPolicyOf(WINDOW))
    const { hard } = windowPolicyOf({ ...WINDOW, ...wide, outageFactor: 24 })
    expect(hard).toMatchObject({ messagesMax: 2 ** 32 - 1, ageMs: 24 * HOUR_MS })
  })

  it('keeps one message a DEK one, in an outage too', () => {
    expect(windowPolicyOf({ ...WINDOW, messagesMax: 1 }).hard.messagesMax).toBe(1)
    expect(windowPolicyOf(WINDOW, { messagesMax: 1 }).hard.messagesMax).toBe(1)
  })

  it('always holds the budget, and never has a hard limit below the soft one', () => {
    const amount = fc.integer({ min: 1, max: 2 ** 31 })
    const limits = { ageMs: amount, messagesMax: amount, bytesMax: amount }
    const window = fc.record({ ...limits, outageFactor: fc.integer({ min: 1, max: 24 }) })
    const budget: fc.Arbitrary<ExposureBudget> = fc.record(limits, { requiredKeys: [] })
    fc.assert(
      fc.property(window, budget, (settings, budgeted) => {
        const { soft, hard } = windowPolicyOf({ ...settings, reserve: 0 }, budgeted)
        for (const name of ['ageMs', 'messagesMax', 'bytesMax'] as const) {
          expect(soft[name]).toBeGreaterThanOrEqual(1)
          expect(soft[name]).toBeLessThanOrEqual(settings[name])
          expect(hard[name]).toBeGreaterThanOrEqual(Math.min(soft[name], hard[name]))
          expect(hard[name]).toBeLessThanOrEqual(budgeted[name] ?? Number.POSITIVE_INFINITY)
        }
      }),
    )
  })
})
