import type { RoadRow } from './road.ts'
import type { Share } from './road-watch.ts'

const MIB = 1024 * 1024

/** One measurement of the road for a terminal. */
export function renderRoad(row: RoadRow): string {
  const dollars = Object.entries(row.dollarsPerMillion)
  const sum = dollars.reduce((total, [, price]) => total + price, 0)
  const kinds = dollars.map(([name, price]) => `${name} ${price.toFixed(4)}`).join(', ')
  const gc = row.gcMicros === null ? '' : `, ${row.gcMicros.toFixed(2)} us a message in all threads`
  const lines = [
    ['messages', `${row.messages} of ${row.valueBytes} B in ${row.partitions} partitions`],
    ['mapping', [row.mapping, ...row.overrides].join(', ')],
    ['rate', `${row.messagesPerSecond.toFixed(0)} msg/s over ${row.seconds.toFixed(1)} s`],
    ['', `${row.sustainedPerSecond.toFixed(0)} msg/s sustained (10 to 90 %)`],
    ['CPU us a message', ''],
    ...Object.entries(row.cpuMicros).map(([name, us]) => [`  ${name}`, us.toFixed(2)]),
    [
      '  all',
      Object.values(row.cpuMicros)
        .reduce((total, us) => total + us, 0)
        .toFixed(2),
    ],
    ['of the encryptor', ''],
    ...Object.entries(row.threadMicros)
      .sort(([, a], [, b]) => b - a)
      .map(([name, us]) => [`  ${name}`, us.toFixed(2)]),
    [
      'memory',
      row.rssBytesMax === null
        ? '-'
        : `${(row.rssBytesMax / MIB).toFixed(0)} MiB at most, a process`,
    ],
    ['collecting', `${(row.mainGcShare * 100).toFixed(1)} % of the main thread${gc}`],
    ...(row.shares.length === 1 ? [] : row.shares.map(shareLine)),
    ['segments, DEKs', `${row.segments}, ${row.deks}`],
    ['KMS calls', String(row.kmsCalls)],
    ['S3 requests', requestsText(row)],
    ['$ a million', `${sum.toFixed(4)} (${kinds})`],
    ['verified', `${row.references} references, each once; ${row.opened} opened and equal`],
  ]
  return `${lines.map(([name = '', text = '']) => `${name.padEnd(18)}${text}`.trimEnd()).join('\n')}\n`
}

function shareLine({ partitions, references }: Share, i: number): string[] {
  return [`process ${i + 1}`, `${partitions} partitions, ${references} references`]
}

function requestsText({ s3Requests }: RoadRow): string {
  const all = Object.values(s3Requests).reduce((sum, count) => sum + count, 0)
  const kinds = Object.entries(s3Requests).map(([name, count]) => `${count} ${name}`)
  return `${all} (${kinds.join(', ')})`
}
