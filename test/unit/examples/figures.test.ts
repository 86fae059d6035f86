import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { cpuMicrosPerMessage, cpuSecondsOf } from '../../../examples/demo/cpu-time.ts'
import { bytes, count, counted, measured, timeLeft } from '../../../examples/demo/figures.ts'
import { MetricsPage } from '../../../examples/demo/metrics-page.ts'
import { RateMeter } from '../../../examples/demo/rate-meter.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'

test('a page of the real registry is read back: sums over labels, and one label', async () => {
  const metrics = createMetrics()
  metrics.packedMessages.inc({ topic: 'mails' }, 3)
  metrics.packedMessages.inc({ topic: 'flights' }, 4)
  const page = new MetricsPage(await metrics.registry.metrics())
  expect(page.sum('sealstream_packed_messages_total')).toBe(7)
  expect(page.sum('sealstream_packed_messages_total', { topic: 'mails' })).toBe(3)
  expect(page.sum('sealstream_no_such_total')).toBe(0)
})

test('quantiles are interpolated within a bucket, and empty histograms have none', async () => {
  const metrics = createMetrics()
  // 10 values up to 5 ms, 10 up to 10 ms: the median is the bound between them.
  for (let round = 0; round < 10; round += 1) {
    metrics.partSeconds.observe({ step: 'seal' }, 0.004)
    metrics.partSeconds.observe({ step: 'seal' }, 0.008)
  }
  const page = new MetricsPage(await metrics.registry.metrics())
  const quantiles = page.quantiles('sealstream_part_duration_seconds', { step: 'seal' })
  expect(quantiles?.p50Ms).toBeCloseTo(5)
  expect(quantiles?.p95Ms).toBeCloseTo(9.5)
  expect(page.quantiles('sealstream_part_duration_seconds', { step: 'map' })).toBeNull()
  expect(page.quantiles('sealstream_visible_delay_seconds')).toBeNull()
})

test('a quantile above the last bound is that bound', async () => {
  const metrics = createMetrics()
  metrics.visibleSeconds.observe(3_600)
  const page = new MetricsPage(await metrics.registry.metrics())
  expect(page.quantiles('sealstream_visible_delay_seconds')?.p99Ms).toBe(30_000)
})

test.runIf(process.platform === 'linux')(
  'the CPU time of a process group grows as its leader works',
  async () => {
    const burn = 'while (process.cpuUsage().user < 60_000);'
    const child = spawn(process.execPath, ['-e', `${burn} setInterval(() => {}, 1000)`], {
      detached: true,
      stdio: 'ignore',
    })
    try {
      const seconds = () => cpuSecondsOf({ child: child.pid ?? 0 })?.child ?? 0
      await expect.poll(seconds, { timeout: 10_000 }).toBeGreaterThanOrEqual(0.06)
    } finally {
      child.kill('SIGKILL')
    }
    expect(cpuSecondsOf({ nobody: 2 ** 30 })).toEqual({ nobody: 0 })
  },
)

test('CPU a message is the difference of two samples, and unknown without them', () => {
  expect(cpuMicrosPerMessage({ kafka: 1 }, { kafka: 1.5 }, 1_000)).toEqual({ kafka: 500 })
  expect(cpuMicrosPerMessage(null, { kafka: 1 }, 1_000)).toBeNull()
})

test('figures read well', () => {
  expect(count(200_000.4)).toBe('200,000')
  expect([bytes(0), bytes(1_023), bytes(1_536), bytes(32_506_017)]).toEqual([
    '0 B',
    '1,023 B',
    '1.5 KiB',
    '31.0 MiB',
  ])
  expect([measured(3.21), measured(1_234.5)]).toEqual(['3.2', '1,235'])
  expect([counted(1, 'message'), counted(2, 'message')]).toEqual(['1 message', '2 messages'])
})

test('a rate is unknown until messages came after the first ones, and then leaves those out', () => {
  const meter = new RateMeter()
  expect(meter.perSecond(0, 1_000)).toBeNull()
  expect(meter.perSecond(5_000, 60_000)).toBeNull()
  expect(meter.perSecond(5_100, 60_100)).toBeNull()
  expect(meter.perSecond(5_000, 62_000)).toBeNull()
  expect(meter.perSecond(7_000, 62_000)).toBe(1_000)
})

test('the time left is in seconds, and in minutes when it is long', () => {
  expect(timeLeft(90, 10)).toBe('9 s')
  expect(timeLeft(99, 1)).toBe('1 min 39 s')
  expect(timeLeft(-20, 10)).toBe('0 s')
})
