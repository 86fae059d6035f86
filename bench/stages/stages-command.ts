import type { Command } from 'commander'
import { append, oneOf, sizeOf, wholeNumber } from '../cli/arguments.ts'
import { machineFacts } from '../host/machine.ts'
import { renderStages } from './render-stages.ts'
import { stages } from './stages.ts'

interface Flags {
  readonly messages: number
  readonly size: number | 'mix'
  readonly partitions: number
  readonly mapping: 'rows' | 'runs'
  readonly repeats: number
  readonly set: readonly string[]
  readonly json?: boolean
}

/** `npm run bench -- stages`. */
export function registerStages(program: Command): void {
  program
    .command('stages')
    .description('The road on real services up to each stage: what a stage costs is a difference')
    .option('--messages <n>', 'messages in the topic', wholeNumber, 300_000)
    .option('--size <bytes>', 'bytes of a value, or mix', sizeOf, 1024)
    .option('--partitions <n>', 'partitions of the topic', wholeNumber, 8)
    .option('--mapping <mode>', 'rows or runs', oneOf(['rows', 'runs']), 'rows' as const)
    .option('--repeats <n>', 'of every stage', wholeNumber, 3)
    .option('--set <path=value>', 'one key of the configuration; may be repeated', append, [])
    .option('--json', 'data on stdout')
    .addHelpText('after', '\nExample:\n  $ npm run bench -- stages --mapping runs --repeats 5')
    .action((flags: Flags) => run(flags))
}

async function run({ set, repeats, json, ...flags }: Flags): Promise<void> {
  const machine = machineFacts()
  const rows = await stages({ ...flags, domains: 0, overrides: set }, repeats)
  process.stdout.write(json ? `${JSON.stringify({ machine, stages: rows })}\n` : renderStages(rows))
}
