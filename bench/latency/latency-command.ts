import type { Command } from 'commander'
import { append, oneOf, sizeOf, wholeNumber } from '../cli/arguments.ts'
import { machineFacts } from '../host/machine.ts'
import { type LatencyOptions, latency } from './latency.ts'
import { PROFILES, type ProfileName } from './profiles.ts'
import { renderLatency } from './render-latency.ts'

interface Flags extends Omit<LatencyOptions, 'perSecond' | 'isSweep' | 'overrides' | 'domains'> {
  readonly rate: number
  readonly sweep?: boolean
  readonly set: readonly string[]
  readonly json?: boolean
}

const NAMES = Object.keys(PROFILES) as ProfileName[]

/** `npm run bench -- latency`. */
export function registerLatency(program: Command): void {
  program
    .command('latency')
    .description(
      'Latencies of an open loop: sealing, seal, durable, visible; at one rate, or up to the knee',
    )
    .option('--rate <n>', 'messages a second; of a sweep, the first', wholeNumber, 5_000)
    .option('--sweep', 'a quarter more each time, until the road no longer keeps up')
    .option('--seconds <n>', 'of each rate', wholeNumber, 30)
    .option('--profile <name>', NAMES.join(' or '), oneOf(NAMES), 'default' as const)
    .option('--size <bytes>', 'bytes of a value, or mix', sizeOf, 1024)
    .option('--partitions <n>', 'partitions of each topic', wholeNumber, 8)
    .option('--mapping <mode>', 'rows or runs', oneOf(['rows', 'runs']), 'rows' as const)
    .option('--set <path=value>', 'one key of the configuration; may be repeated', append, [])
    .option('--json', 'data on stdout')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run(flags))
}

const EXAMPLES = `
Examples:
  $ npm run bench -- latency --rate 10000 --seconds 60
  $ npm run bench -- latency --rate 2000 --profile low-latency
  $ npm run bench -- latency --sweep --rate 10000 --seconds 20 --json`

async function run({ rate, sweep, set, json, ...flags }: Flags): Promise<void> {
  const machine = machineFacts()
  const options = { ...flags, domains: 0, perSecond: rate, isSweep: sweep ?? false, overrides: set }
  const rows = await latency(options)
  process.stdout.write(
    json ? `${JSON.stringify({ machine, latency: rows })}\n` : renderLatency(rows),
  )
}
