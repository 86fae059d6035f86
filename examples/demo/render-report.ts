import type { Paint } from '../../docker/stack/stack-terminal.ts'
import { bytes, count, counted, measured, seconds } from './figures.ts'
import type { Quantiles } from './metrics-page.ts'
import type { DemoReport } from './report.ts'
import type { SealFigures } from './seal-load.ts'

const NAME_WIDTH = 32
const COLUMN_WIDTH = 28
const LABEL_WIDTH = 12

type Row = readonly [name: string, cell: (load: SealFigures) => string]

const ROWS: readonly Row[] = [
  ['messages', (load) => count(load.messages)],
  ['plaintext', (load) => bytes(load.bytes)],
  ['sealed in', (load) => seconds(load.sealSeconds)],
  ['rate', (load) => `${count(load.messagesPerSecond)} msg/s`],
  ['', (load) => `${bytes(load.bytesPerSecond)}/s`],
  ['objects', (load) => count(load.objects)],
  ['data keys', (load) => count(load.deks)],
  ['KMS calls', (load) => count(load.kmsCalls)],
]

const LATENCIES: readonly Row[] = [
  ['seal a part', (load) => quantiles(load.sealPart)],
  ['upload a part', (load) => quantiles(load.uploadPart)],
  ['map a part', (load) => quantiles(load.mapPart)],
  ['packed until reference visible', (load) => quantiles(load.visible)],
]

/** The report for people: lines of at most 100 columns, coloured by `paint` where that helps. */
export function renderReport(report: DemoReport, paint: Paint): string[] {
  const { loads, machine } = report
  return [
    paint(
      'dim',
      tableLine('', loads, (load) => load.topic),
    ),
    ...ROWS.map(([name, cell]) => tableLine(name, loads, cell)),
    paint(
      'dim',
      tableLine('latency in ms', loads, () => 'P50 / P95 / P99'),
    ),
    ...LATENCIES.map(([name, cell]) => tableLine(name, loads, cell)),
    paint(
      'dim',
      tableLine('CPU a message', loads, () => 'microseconds'),
    ),
    ...cpuLines(loads),
    '',
    ...findings(report, paint),
    '',
    `  ${counted(machine.cores, 'core')}, Node ${machine.node}, ${machine.platform}, all services on this machine, ${seconds(report.elapsedSeconds)} in all`,
  ]
}

function cpuLines(loads: readonly SealFigures[]): string[] {
  const names = Object.keys(
    loads.find((load) => load.cpuMicrosPerMessage)?.cpuMicrosPerMessage ?? {},
  )
  if (names.length === 0) return [tableLine('', loads, () => 'not measured here')]
  return names.map((name) =>
    tableLine(name, loads, (load) => measured(load.cpuMicrosPerMessage?.[name] ?? 0)),
  )
}

function findings({ readBack, impact, plaintext, keyBytes }: DemoReport, paint: Paint): string[] {
  const { samples, files, controlHits } = plaintext
  const control =
    controlHits === null
      ? 'services run in containers: only logs were searched'
      : `the same search finds all ${controlHits} in the source topics, which are plaintext`
  return [
    finding(paint, 'read back', [
      `${count(readBack.seen)} of ${counted(readBack.expected, 'message')} once each, every byte equal`,
      `${seconds(readBack.seconds)}, ${count(readBack.messagesPerSecond)} msg/s`,
    ]),
    finding(paint, 'impact', [
      `data key ${impact.dekId}`,
      `protected ${counted(impact.messages, 'message')} in ${counted(impact.objects, 'object')} (${bytes(impact.bytes)}), as ${counted(impact.references, 'reference')} say`,
    ]),
    finding(paint, 'plaintext', [
      `${plaintext.hits} of ${counted(samples, 'sample')} found in ${counted(files, 'file')} (${bytes(plaintext.bytes)}) of objects, tables, logs`,
      control,
    ]),
    finding(paint, 'key bytes', [
      `${keyBytes.hits} of ${counted(keyBytes.keys, 'data key')} found in ${counted(keyBytes.files, 'file')}, as bytes, hex or base64`,
    ]),
  ].flat()
}

function finding(paint: Paint, label: string, lines: readonly string[]): string[] {
  return lines.map((line, position) => {
    const head = position === 0 ? label : ''
    return `  ${paint('good', position === 0 ? '✓' : ' ')} ${head.padEnd(LABEL_WIDTH)}${line}`
  })
}

function tableLine(
  name: string,
  loads: readonly SealFigures[],
  cell: (load: SealFigures) => string,
): string {
  const cells = loads.map((load) => cell(load).padStart(COLUMN_WIDTH))
  return `  ${name.padEnd(NAME_WIDTH)}${cells.join('')}`.trimEnd()
}

function quantiles(values: Quantiles | null): string {
  if (values === null) return '-'
  return [values.p50Ms, values.p95Ms, values.p99Ms].map(measured).join(' / ')
}
