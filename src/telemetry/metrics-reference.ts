import { markdownTable } from '../config/markdown-table.ts'
import type { Metrics } from './metrics.ts'

/** The reference page of the metrics, in Markdown. Ends in a newline. */
export async function metricsReference(metrics: Metrics): Promise<string> {
  const entries = await metrics.registry.getMetricsAsJSON()
  const rows = entries.map(({ name, type, help }) => {
    const labels = labelsOf(metrics, name).map((label) => `\`${label}\``)
    return [`\`${name}\``, String(type), labels.join(', '), help]
  })
  const lines = [
    '# Metrics',
    '',
    'Served at `/metrics` in the Prometheus text format, on `http.host` and `http.port`. Durations',
    'are in seconds, sizes in bytes. The usual `process_*` and `nodejs_*` metrics stand beside these.',
    '',
    ...markdownTable(['Name', 'Type', 'Labels', 'What it is'], rows),
  ]
  return `${lines.join('\n')}\n`
}

function labelsOf(metrics: Metrics, name: string): readonly string[] {
  const metric: unknown = metrics.registry.getSingleMetric(name)
  // The library keeps the names on every metric, but its types do not say so.
  return (metric as { readonly labelNames: readonly string[] }).labelNames
}
