import { describe, expect, it } from 'vitest'
import { collectProcessMetrics, createMetrics } from '../../../src/telemetry/metrics.ts'
import { metricsReference } from '../../../src/telemetry/metrics-reference.ts'

describe('the metrics', () => {
  it('have names with the product first and, where they measure, the unit last', async () => {
    for (const { name, type } of await createMetrics().registry.getMetricsAsJSON()) {
      expect(name).toMatch(/^sealstream_[a-z_]+$/)
      if (String(type) === 'counter') expect(name).toMatch(/_total$/)
      if (String(type) === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/)
    }
  })

  it('live in registries of their own', async () => {
    const [first, second] = [createMetrics(), createMetrics()]
    first.deksCreated.inc()
    expect(await second.registry.metrics()).toContain('sealstream_deks_created_total 0')
  })

  it('show the process too, when asked', async () => {
    const metrics = createMetrics()
    collectProcessMetrics(metrics)
    expect(await metrics.registry.metrics()).toContain('process_cpu_seconds_total')
  })

  it('are the ones of the page in the docs folder', async () => {
    const page = await metricsReference(createMetrics())
    await expect(page).toMatchFileSnapshot('../../../docs/metrics.md')
  })
})
