import type { Command } from 'commander'
import { oneOf, wholeNumber } from '../cli/arguments.ts'
import { machineFacts } from '../host/machine.ts'
import { renderScaling } from './render-scaling.ts'
import { AXES, type Axis, scaling } from './scaling.ts'

interface Flags {
  readonly quick?: boolean
  readonly axis: readonly Axis[]
  readonly messages?: number
  readonly repeats?: number
  readonly mapping?: 'rows' | 'runs'
  readonly json?: boolean
}

const FULL = { messages: 450_000, repeats: 3, mappings: ['rows', 'runs'] } as const
const QUICK = { messages: 150_000, repeats: 1, mappings: ['rows'] } as const

/** `npm run bench -- scaling`. */
export function registerScaling(program: Command): void {
  program
    .command('scaling')
    .description('Whether a message costs the same with more partitions, key domains and processes')
    .option('--quick', `once, by the row, ${QUICK.messages} messages a line, in some minutes`)
    .option('--axis <name>', `${AXES.join(', ')}; may be repeated, all without it`, axis, [])
    .option(
      '--messages <n>',
      `of each line (${FULL.messages}); two thirds of it with domains by header`,
      wholeNumber,
    )
    .option('--repeats <n>', `how often, in turns (${FULL.repeats})`, wholeNumber)
    .option('--mapping <mode>', 'rows or runs alone (both)', oneOf(['rows', 'runs']))
    .option('--json', 'data on stdout')
    .action((flags: Flags) => run(flags))
}

function axis(text: string, before: readonly Axis[]): readonly Axis[] {
  return [...before, oneOf(AXES)(text)]
}

async function run(flags: Flags): Promise<void> {
  const { quick, axis: axes, messages, repeats, mapping, json } = flags
  const machine = machineFacts()
  const mode = quick ? QUICK : FULL
  const rows = await scaling({
    axes: axes.length === 0 ? AXES : axes,
    messages: messages ?? mode.messages,
    repeats: repeats ?? mode.repeats,
    mappings: mapping === undefined ? mode.mappings : [mapping],
  })
  const text = json ? `${JSON.stringify({ machine, scaling: rows })}\n` : renderScaling(rows)
  process.stdout.write(text)
  if (rows.some(({ failures }) => failures.length > 0)) process.exitCode = 1
}
