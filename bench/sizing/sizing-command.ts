import type { Command } from 'commander'
import { oneOf, wholeNumber } from '../cli/arguments.ts'
import { PAGE_LOADS, renderBounds, renderSizing } from './render-sizing.ts'
import { type Load, sizingOf } from './sizing-model.ts'

interface Flags {
  readonly rate?: number
  readonly bytes: number
  readonly mapping: 'rows' | 'runs'
  readonly retentionDays: number
  readonly domains: number
  readonly json?: boolean
}

/** `npm run bench -- sizing`. */
export function registerSizing(program: Command): void {
  program
    .command('sizing')
    .description(
      'What a load takes, on paper; without --rate, and with none of the others, the tables of docs/capacity.md',
    )
    .option('--rate <n>', 'messages a second', wholeNumber)
    .option('--bytes <n>', 'of a value', wholeNumber, 1024)
    .option('--mapping <mode>', 'rows or runs', oneOf(['rows', 'runs']), 'rows' as const)
    .option('--retention-days <n>', 'that segments and mapping are kept', wholeNumber, 30)
    .option('--domains <n>', 'key domains that are busy all the time', wholeNumber, 1)
    .option('--json', 'data on stdout')
    .action((flags: Flags) => run(flags))
}

function run({ rate, bytes, mapping, retentionDays, domains, json }: Flags): void {
  const asked = { bytes, mapping, retentionDays, domains }
  const loads: readonly Load[] = rate === undefined ? PAGE_LOADS : [{ perSecond: rate, ...asked }]
  const text = json
    ? `${JSON.stringify(loads.map((load) => ({ load, sizing: sizingOf(load) })))}\n`
    : `${renderSizing(loads)}\n${renderBounds(loads)}`
  process.stdout.write(text)
}
