import type { Command } from 'commander'
import { parseCount, parseLimit, withConfigOption, withExamples } from '../options.ts'
import { type PrintOptions, readTopic, withReader } from '../read-topic.ts'
import type { Terminal } from '../terminal.ts'

interface TailOptions extends PrintOptions {
  readonly lines: number
  readonly max?: number
}

const LINES = 10

/** `sealstream tail`. */
export function registerTail(program: Command, terminal: Terminal): void {
  const tail = program
    .command('tail')
    .description('Print the last messages of a topic and go on with new ones until stopped')
    .argument('<topic>', 'source topic, or its reference topic')
    .option(
      '-n, --lines <count>',
      'offsets of each partition to go back from its end',
      parseLimit,
      LINES,
    )
    .option('--max <count>', 'end after this many messages', parseCount)
    .option('--values', 'print the bare values, one a line, instead of JSON')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .option('--json', 'print JSON, one message a line (the default)')
    .action((topic: string, options: TailOptions) =>
      withReader(options, terminal, (place) => {
        const { lines, max } = options
        return readTopic({ topic, from: { back: lines }, follow: true, max }, place)
      }),
    )
  withExamples(
    withConfigOption(tail),
    'sealstream tail orders',
    'sealstream tail orders --lines 0 --values',
    'sealstream tail orders --lines 100 --max 5',
  )
}
