import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { append, oneOf } from '../cli/arguments.ts'
import { renderReport } from '../report/html-report.ts'
import { numberText } from '../results/number-text.ts'
import { baselineOf, type ResultFile, readResults, writeResults } from '../results/result-file.ts'
import { medianOf } from '../stats/median.ts'
import { MODES, type ModeName } from './modes.ts'
import { SECTION_NAMES, suite } from './suite.ts'

interface Flags {
  readonly mode: ModeName
  readonly only: readonly string[]
  readonly out?: string
  readonly html?: string
  readonly baseline?: string
  readonly json?: boolean
}

const MODE_NAMES = Object.keys(MODES) as ModeName[]

/** `npm run bench -- suite`, which is also what runs without a name. */
export function registerSuite(program: Command): void {
  program
    .command('suite', { isDefault: true })
    .description('Everything, on services of its own: quick takes some minutes, full some hours')
    .option('--mode <name>', MODE_NAMES.join(', '), oneOf(MODE_NAMES), 'quick' as const)
    .option('--only <section>', `${SECTION_NAMES.join(', ')}; may be repeated`, section, [])
    .option('--out <file>', 'result file')
    .option('--html <file>', 'report with plots')
    .option('--baseline <file>', 'result file without what only a clock says')
    .option('--json', 'the result file on stdout')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run(flags))
}

const EXAMPLES = `
Examples:
  $ npm run bench -- --out quick.json --html quick.html
  $ npm run bench -- suite --only cipher --only services
  $ npm run bench -- suite --mode full --out full.json`

/** `npm run bench -- report`. */
export function registerReport(program: Command): void {
  program
    .command('report')
    .description('Makes the report with plots from a result file')
    .argument('<results>', 'result file')
    .argument('<html>', 'where the report goes')
    .action((results: string, html: string) => writeReport(html, readResults(results)))
}

function section(text: string, before: readonly string[]): readonly string[] {
  return append(oneOf(SECTION_NAMES)(text), before)
}

async function run({ mode, only, out, html, baseline, json }: Flags): Promise<void> {
  const file = await suite(mode, only)
  if (out !== undefined) writeResults(made(out), file)
  if (baseline !== undefined) writeResults(made(baseline), baselineOf(file))
  if (html !== undefined) writeReport(html, file)
  process.stdout.write(json ? `${JSON.stringify(file)}\n` : renderFigures(file))
}

function writeReport(path: string, file: ResultFile): void {
  writeFileSync(made(path), renderReport(file))
}

function made(path: string): string {
  mkdirSync(dirname(path), { recursive: true })
  return path
}

/** All figures for a terminal: median and spread. */
function renderFigures({ machine, figures }: ResultFile): string {
  const { cpu, cores, node, loadAtStart } = machine
  const lines = figures.map(({ name, unit, values }) => {
    const spread = `${numberText(Math.min(...values))} to ${numberText(Math.max(...values))}`
    return `${name.padEnd(62)}${numberText(medianOf(values)).padStart(11)} ${unit.padEnd(15)}${spread}`
  })
  const head = `cpu ${cpu}, cores ${cores}, node ${node}, load ${loadAtStart.toFixed(1)}`
  return `${[head, ...lines].join('\n')}\n`
}
