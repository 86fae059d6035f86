import { describe, expect, test } from 'vitest'
import { COEFFICIENTS } from '../../../bench/sizing/coefficients.ts'
import { capacityPage } from '../../../bench/sizing/render-sizing.ts'
import { type Load, sizingOf } from '../../../bench/sizing/sizing-model.ts'
import { storageUsdOf } from '../../../src/service-costs.ts'

const LOAD: Load = {
  ...{ perSecond: 500_000, bytes: 1024, mapping: 'rows', retentionDays: 30, domains: 1 },
}

describe('the paper model', () => {
  test('is what the page says', async () => {
    await expect(capacityPage()).toMatchFileSnapshot('../../../docs/capacity.md')
  })

  test('plans cores for what a message was measured to cost, with room to spare', () => {
    const { encryptor } = sizingOf(LOAD)
    const busy = (500_000 * COEFFICIENTS.rows.cpuMicros.encryptor) / 1e6
    expect(encryptor.cores).toBeGreaterThan(busy / 0.6)
    expect(encryptor.cores).toBeLessThan((busy / 0.6) * 1.05)
    expect(encryptor.processes).toBe(3)
  })

  test('keeps every message and three copies of its row', () => {
    const { s3, cassandra } = sizingOf(LOAD)
    expect(s3.bytesKept).toBe(500_000 * (1024 + 61) * 30 * 86_400)
    expect(cassandra.bytesADay).toBeCloseTo((500_000 * 14.8 + 25 * 195) * 3 * 86_400, -3)
  })

  test('counts a segment for each domain of each lane', () => {
    const { s3 } = sizingOf({ ...LOAD, domains: 1_000 })
    expect(s3.segmentsPerSecond).toBe(6_000)
    expect(s3.writesPerSecond).toBe(6_000)
    expect(sizingOf({ ...LOAD, domains: 1_000 }).bounds[0]).toMatchObject({
      what: 'S3: writes under one prefix',
    })
  })

  test('turns windows by age, or by bytes when these come first', () => {
    const calls = (perSecond: number) => sizingOf({ ...LOAD, perSecond }).kms.callsPerSecond
    expect(calls(1_000)).toBeCloseTo(2 / 3600)
    expect(calls(500_000)).toBeCloseTo((500_000 * 1085) / (64 * 2 ** 30))
  })

  test('grows with the load, in everything but what has a smallest size', () => {
    const [one, ten] = [LOAD, { ...LOAD, perSecond: 5_000_000 }].map(sizingOf)
    expect((ten?.cassandra.nodes ?? 0) / (one?.cassandra.nodes ?? 1)).toBeCloseTo(10, 0)
    expect((ten?.encryptor.cores ?? 0) / (one?.encryptor.cores ?? 1)).toBeCloseTo(10, 1)
  })
})

describe('the price of storage', () => {
  test('falls by its tiers', () => {
    const gb = 2 ** 30
    expect(storageUsdOf(100 * gb)).toBeCloseTo(2.3)
    expect(storageUsdOf(60 * 1024 * gb)).toBeCloseTo((50 * 0.023 + 10 * 0.022) * 1024)
    expect(storageUsdOf(600 * 1024 * gb)).toBeCloseTo(
      (50 * 0.023 + 450 * 0.022 + 100 * 0.021) * 1024,
    )
  })
})
