import { ASSUMPTIONS } from './coefficients.ts'
import { type Load, type Sizing, sizingOf } from './sizing-model.ts'

/** The loads of the page. */
export const PAGE_LOADS: readonly Load[] = (['rows', 'runs'] as const).flatMap((mapping) =>
  [50_000, 500_000, 5_000_000].map((perSecond) => ({
    ...{ perSecond, bytes: 1024, mapping, retentionDays: 30, domains: 1 },
  })),
)

const BOUNDS_SHOWN = 3

/** One line: what it is, and what it is of a sizing. */
type Line = readonly [string, (sizing: Sizing) => string]

const LINES: readonly Line[] = [
  ['encryptors: cores', ({ encryptor }) => rounded(encryptor.cores)],
  ['encryptors: processes, lanes', (s) => `${s.encryptor.processes}, ${s.encryptor.lanes}`],
  ['brokers', ({ kafka }) => String(kafka.brokers)],
  ['source partitions', ({ kafka }) => String(kafka.partitions)],
  ['brokers: written, MB/s', ({ kafka }) => rounded(kafka.bytesInPerSecond / 1e6)],
  ['brokers: sent, MB/s', ({ kafka }) => rounded(kafka.bytesOutPerSecond / 1e6)],
  ['brokers: disk, TB', ({ kafka }) => rounded(kafka.diskBytes / 1e12)],
  ['Cassandra nodes (by disk alone)', (s) => `${s.cassandra.nodes} (${s.cassandra.nodesByDisk})`],
  ['Cassandra: rows/s', ({ cassandra }) => rounded(cassandra.rowsPerSecond)],
  ['Cassandra: statements/s', ({ cassandra }) => rounded(cassandra.statementsPerSecond)],
  ['Cassandra: GB a day, all copies', ({ cassandra }) => rounded(cassandra.bytesADay / 1e9)],
  ['Cassandra: compaction, MB/s', (s) => rounded(s.cassandra.compactedBytesPerSecond / 1e6)],
  ['segments/s', ({ s3 }) => rounded(s3.segmentsPerSecond)],
  ['S3 writes/s', ({ s3 }) => rounded(s3.writesPerSecond)],
  ['S3 writes a month, millions', ({ s3 }) => rounded(s3.writesAMonth / 1e6)],
  ['S3: TB kept', ({ s3 }) => rounded(s3.bytesKept / 1e12)],
  ['KMS calls a month', ({ kms }) => rounded(kms.callsAMonth)],
]

/** The page docs/capacity.md. Ends in a newline. */
export function capacityPage(): string {
  const { busyMax, copies, kafkaDays } = ASSUMPTIONS
  return [
    '# Capacity, on paper',
    '',
    'Printed by `npm run bench -- sizing`; `--rate`, `--bytes`, `--mapping`, `--retention-days` and `--domains` ask for others. Messages of',
    '1 KiB in one key domain, segments and mapping kept for 30 days (nothing deletes the mapping by itself), with the defaults of the configuration. **Nothing here was tried on a cluster**: it is',
    'arithmetic (`bench/sizing/sizing-model.ts`) on what was measured on two cores, and on assumptions; both stand in',
    `\`bench/sizing/coefficients.ts\`. Nothing is planned to be busier than ${busyMax * 100} %; Kafka and Cassandra keep ${copies} copies, Kafka for ${kafkaDays} day`,
    'messages and references. Prices are list prices of AWS in us-east-1 (`src/service-costs.ts`) as of June 2026; machines at 0.045 USD an hour',
    'and core, network between zones left out.',
    '',
    renderSizing(PAGE_LOADS),
    '## What breaks first',
    '',
    'The three bounds of each load that are used most. 100 nodes in a ring and 4,000 partitions in a topic are where operators usually stop,',
    'not what the software refuses.',
    '',
    renderBounds(PAGE_LOADS),
  ].join('\n')
}

/** Sizings side by side, as a table in Markdown. */
export function renderSizing(loads: readonly Load[]): string {
  const sizings = loads.map(sizingOf)
  const names = Object.keys(sizings[0]?.usdAMonth ?? {})
  const usd = (sizing: Sizing, name: string) => sizing.usdAMonth[name] ?? 0
  const rows = [
    ['', ...loads.map(({ perSecond, mapping }) => `${perSecond / 1000}k/s, ${mapping}`)],
    ['---', ...loads.map(() => '---:')],
    ...LINES.map(([name, of]) => [name, ...sizings.map(of)]),
    ...names.map((name) => [`USD a month: ${name}`, ...sizings.map((s) => rounded(usd(s, name)))]),
    ['USD a month: all', ...sizings.map((s) => rounded(sumOf(Object.values(s.usdAMonth))))],
  ]
  return `${rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`
}

/** What is used most of at each load, as a list in Markdown. */
export function renderBounds(loads: readonly Load[]): string {
  const lines = loads.map((load) => {
    const first = sizingOf(load).bounds.slice(0, BOUNDS_SHOWN)
    const texts = first.map(({ what, used }) => `${what} ${rounded(used * 100)} %`)
    return `- ${load.perSecond / 1000}k/s, ${load.mapping}: ${texts.join('; ')}`
  })
  return `${lines.join('\n')}\n`
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** Three figures at most, with commas. */
function rounded(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 1e-9))))
  const exact =
    value < 100 ? Number(value.toFixed(Math.min(digits, 2))) : Number(value.toPrecision(3))
  return exact.toLocaleString('en-US')
}
