import type { Command } from 'commander'
import { cipher, renderCipher } from '../cipher.ts'
import { machineFacts } from '../host/machine.ts'
import { impact, renderImpactBench } from '../impact.ts'
import { ladder } from '../ladder.ts'
import { liveReencryption, renderLiveReencryption } from '../live-reencryption.ts'
import { mapping, renderMapping } from '../mapping.ts'
import { renderLadder } from '../measure.ts'
import { READING_WAYS, reading, renderReading } from '../reading.ts'
import type { ReadingWay } from '../reading-consumer.ts'
import { reencryption, renderReencryptionBench } from '../reencryption.ts'
import { renderTurns, turns } from '../turns.ts'
import { wholeNumber, wordsOf } from './arguments.ts'

interface Flags {
  readonly repeats: number
  readonly messages: number
  readonly rate: number
  readonly seconds: number
  readonly gigabytes: number
  readonly ways: readonly ReadingWay[]
  readonly json?: boolean
}

/** One benchmark that prints a table: what it takes, and how it is shown. */
interface Table<T> {
  readonly name: string
  readonly description: string
  readonly options: readonly (keyof typeof OPTIONS)[]
  readonly run: (flags: Flags) => Promise<T>
  readonly render: (rows: T) => string
}

const OPTIONS = {
  repeats: ['--repeats <n>', 'how often', wholeNumber, 9],
  messages: [
    '--messages <n>',
    'written by the row; five times as many by the run',
    wholeNumber,
    400_000,
  ],
  rate: ['--rate <n>', 'messages a second', wholeNumber, 20_000],
  seconds: ['--seconds <n>', 'of each run', wholeNumber, 30],
  gigabytes: ['--gigabytes <n>', 'of each shape of segments', wholeNumber, 2],
  ways: ['--ways <list>', READING_WAYS.join(','), wordsOf(READING_WAYS), READING_WAYS],
} as const

/** The benchmarks of single parts of the product. */
export function registerTables(program: Command): void {
  register(program, {
    name: 'cipher',
    description: 'Sealing and opening one frame, beside other ways to do it; no service',
    options: ['repeats'],
    run: ({ repeats }) => cipher(repeats),
    render: renderCipher,
  })
  register(program, {
    name: 'ladder',
    description: 'The stages that run in one process; no service',
    options: ['repeats'],
    run: ({ repeats }) => ladder(repeats),
    render: renderLadder,
  })
  register(program, {
    name: 'mapping',
    description: 'Writing and reading the mapping by the row and by the run',
    options: ['repeats', 'messages'],
    run: ({ messages, repeats }) => mapping(messages, repeats),
    render: renderMapping,
  })
  register(program, {
    name: 'turns',
    description: 'How long windows that turn every second hold up the road',
    options: ['rate', 'seconds'],
    run: ({ rate, seconds }) => turns({ perSecond: rate, seconds }),
    render: renderTurns,
  })
  register(program, {
    name: 'reencryption',
    description: 'Megabytes a second and CPU seconds a gigabyte, of this process and every service',
    options: ['repeats', 'gigabytes'],
    run: (flags) => reencryption(flags),
    render: renderReencryptionBench,
  })
  register(program, {
    name: 'live-reencryption',
    description:
      'Latencies of sealing without re-encryption, and beside it with and without yielding',
    options: ['repeats', 'rate', 'seconds'],
    run: ({ rate, seconds, repeats }) => liveReencryption({ perSecond: rate, seconds, repeats }),
    render: renderLiveReencryption,
  })
  register(program, {
    name: 'reading',
    description:
      'Reading messages of 1 KiB in three ways, and point opens at 200/s in an open loop',
    options: ['repeats', 'messages', 'seconds', 'ways'],
    run: (flags) => reading(flags),
    render: renderReading,
  })
  register(program, {
    name: 'impact',
    description: 'Counting and listing what a KEK protected',
    options: ['repeats', 'messages'],
    run: (flags) => impact(flags),
    render: renderImpactBench,
  })
}

function register<T>(
  program: Command,
  { name, description, options, run, render }: Table<T>,
): void {
  const command = program.command(name).description(description)
  for (const key of options) {
    const [flag, help, parse, usual] = OPTIONS[key]
    command.option<unknown>(flag, help, parse, usual)
  }
  command.option('--json', 'data on stdout').action(async (flags: Flags) => {
    const machine = machineFacts()
    const rows = await run(flags)
    process.stdout.write(
      flags.json ? `${JSON.stringify({ machine, [name]: rows })}\n` : render(rows),
    )
  })
}
