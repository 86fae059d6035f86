import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { withBenchStack } from '../bench-stack.ts'
import { append, oneOf, sizeOf, wholeNumber, wholeNumberOr0 } from '../cli/arguments.ts'
import { machineFacts } from '../host/machine.ts'
import { measureHeld } from './held-road.ts'
import { renderRoad } from './render-road.ts'
import { measureRoad, type RoadOptions } from './road.ts'
import { domainOverrides } from './road-config.ts'

interface Flags {
  readonly messages: number
  readonly size: number | 'mix'
  readonly partitions: number
  readonly domains: number
  readonly processes: number
  readonly mapping: 'rows' | 'runs'
  readonly set: readonly string[]
  readonly cpuProf?: string
  readonly traceGc?: boolean
  readonly json?: boolean
}

/** `npm run bench -- road`. */
export function registerRoad(program: Command): void {
  program
    .command('road')
    .description('The whole road on services of its own, from a topic filled beforehand')
    .option('--messages <n>', 'messages in the topic', wholeNumber, 500_000)
    .option('--size <bytes>', 'bytes of a value, or mix', sizeOf, 1024)
    .option('--partitions <n>', 'partitions of the topic', wholeNumber, 8)
    .option('--domains <n>', 'key domains by header; 0: the topic', wholeNumberOr0, 0)
    .option('--processes <n>', 'encryptors of one group that share the topic', wholeNumber, 1)
    .option('--mapping <mode>', 'rows or runs', oneOf(['rows', 'runs']), 'rows' as const)
    .option('--set <path=value>', 'one key of the configuration; may be repeated', append, [])
    .option('--cpu-prof <folder>', 'keep CPU profiles of the encryptor there')
    .option('--trace-gc', 'count the collections of all threads')
    .option('--json', 'data on stdout')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run(flags))
}

/** From so many messages on the compilers of the services give back what they spend. */
const LONG_RUN_MESSAGES = 5_000_000

const EXAMPLES = `
Examples:
  $ npm run bench -- road --messages 2000000 --mapping runs
  $ npm run bench -- road --size 16384 --set workers.threads=1 --set segment.ageMs=200ms
  $ npm run bench -- road --processes 2 --messages 1000000
  $ npm run bench -- road --cpu-prof /tmp/profiles --json`

async function run(flags: Flags): Promise<void> {
  const machine = machineFacts()
  const { set, cpuProf, traceGc, domains } = flags
  const options: RoadOptions = {
    ...{ messages: flags.messages, size: flags.size, partitions: flags.partitions },
    ...{ domains, mapping: flags.mapping, overrides: [...domainOverrides(domains), ...set] },
    isGcTraced: traceGc ?? false,
    ...(cpuProf === undefined ? {} : { cpuProf: madeFolder(cpuProf) }),
  }
  const { processes } = flags
  const row = await withBenchStack(
    (stack) =>
      processes === 1
        ? measureRoad(stack, 'road', options)
        : measureHeld(stack, 'road', options, processes),
    { isShortLived: flags.messages < LONG_RUN_MESSAGES },
  )
  process.stdout.write(flags.json ? `${JSON.stringify({ machine, road: row })}\n` : renderRoad(row))
}

function madeFolder(path: string): string {
  mkdirSync(path, { recursive: true })
  return resolve(path)
}
