import { describe, expect, it } from 'vitest'
import { forecastOf, type ReencryptionPace } from '../../../src/reencryption/forecast.ts'
import type { ReencryptionPlan } from '../../../src/reencryption/plan.ts'
import { LIST_PRICES } from '../../../src/service-costs.ts'

const MIB = 1024 * 1024
const pace: ReencryptionPace = {
  ...{ bytesPerSecond: 32 * MIB, kmsCallsPerSecond: 50, threads: 2, partBytes: 8 * MIB },
  ...{ window: { ageMs: 3_600_000, messagesMax: 1e7, bytesMax: 1e12 }, prices: LIST_PRICES },
}
function planOf(segments: number, segmentBytes: number, deks = 1): ReencryptionPlan {
  const [bytes, messages] = [segments * segmentBytes, segments * 1_000]
  return {
    ...{ deks, segments, messages, bytes, done: 0, expired: 0, unpublished: 0, isComplete: true },
    domains: segments === 0 ? [] : [{ keyDomain: 'orders', messages, bytes }],
  }
}

describe('the forecast of a re-encryption', () => {
  it('counts what each segment asks of the store', () => {
    // A look of two requests and eight ranges; an upload of eight parts, opened and completed, and a list.
    expect(forecastOf(planOf(10, 64 * MIB), pace)).toMatchObject({ s3Reads: 100, s3Writes: 110 })
    // A look of one request and a range; one write and a list.
    expect(forecastOf(planOf(10, 100_000), pace)).toMatchObject({ s3Reads: 20, s3Writes: 20 })
  })

  it('counts a DEK for each window that is filled, and one for each domain at least', () => {
    expect(forecastOf(planOf(10, MIB, 3), pace)).toMatchObject({ newDeks: 1, kmsCalls: 4 })
    const [share] = planOf(1, MIB).domains
    const two = { ...planOf(1, MIB), domains: [share, share] } as ReencryptionPlan
    expect(forecastOf(two, pace).newDeks).toBe(2)
    const narrow = { ...pace, window: { ...pace.window, messagesMax: 2_500 } }
    expect(forecastOf(planOf(10, MIB), narrow).newDeks).toBe(4)
  })

  it('goes by the budget that binds, and by what a thread can do', () => {
    const { seconds } = forecastOf(planOf(1_000, 32 * MIB), pace)
    expect(seconds).toBeCloseTo(1_000 + 25, 0)
    const unbound = forecastOf(planOf(1_000, 70e6), { ...pace, bytesPerSecond: Infinity })
    expect(unbound.seconds).toBeCloseTo(500 + 25, 0)
    expect(forecastOf(planOf(1, 1_000, 50_000), pace).seconds).toBeCloseTo(1_000, 0)
  })

  it('is priced by the request', () => {
    const { costUsd } = forecastOf(planOf(1_000_000, 100_000, 10_000), pace)
    const kms = ((10_000 + 1) / 10_000) * 0.03
    expect(costUsd).toBeCloseTo(kms + 200 * 0.004 + 2_000 * 0.005, 3)
  })

  it('of nothing is nothing', () => {
    const none = { kmsCalls: 0, s3Reads: 0, s3Writes: 0, newDeks: 0, costUsd: 0, seconds: 0 }
    expect(forecastOf(planOf(0, 0, 0), pace)).toEqual(none)
  })
})
