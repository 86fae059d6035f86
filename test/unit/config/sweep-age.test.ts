import { describe, expect, test } from 'vitest'
import type { Config } from '../../../src/config/schema.ts'
import { refuseSweepAge, sweepAgeMs, sweepFloorMs } from '../../../src/config/sweep-age.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** What a sweep's age depends on, small by itself. */
function limits(over: Record<string, number> = {}): Config {
  const of = (name: string) => over[name] ?? 1_000
  return {
    kafka: {
      transactionTimeoutMs: of('transaction'),
      sessionTimeoutMs: of('session'),
      requestTimeoutMs: of('kafka'),
    },
    s3: { requestTimeoutMs: of('s3') },
    cassandra: { requestTimeoutMs: of('cassandra') },
    segment: { publishWithinMs: of('publishWithin') },
  } as Config
}

describe('the least age of a sweep', () => {
  test.each(['transaction', 'session', 'kafka', 's3', 'cassandra', 'publishWithin'])(
    'is three times the %s limit, where that is the longest',
    (name) => {
      expect(sweepFloorMs(limits({ [name]: 5 * MINUTE_MS }))).toBe(15 * MINUTE_MS)
    },
  )

  test('leaves room for the commit that is begun in the last moment', () => {
    const both = limits({ publishWithin: 10 * MINUTE_MS, transaction: 10 * MINUTE_MS })
    expect(sweepFloorMs(both)).toBeGreaterThan(20 * MINUTE_MS)
  })

  test('is refused below, and named', () => {
    const config = limits({ publishWithin: 2 * HOUR_MS })
    expect(refuseSweepAge(6 * HOUR_MS, config)).toBeNull()
    expect(refuseSweepAge(6 * HOUR_MS - 1, config)).toContain('at least 6h')
  })
})

test('the age where nobody asks is a day, and more where limits are long', () => {
  expect(sweepAgeMs(limits({ publishWithin: 2 * HOUR_MS }))).toBe(24 * HOUR_MS)
  expect(sweepAgeMs(limits({ publishWithin: 4 * HOUR_MS }))).toBe(36 * HOUR_MS)
})
