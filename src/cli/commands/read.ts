import type { Command } from 'commander'
import { SealError } from '../../errors.ts'
import type { ConfigOption } from '../options.ts'
import { parseCount, withConfigOption, withExamples } from '../options.ts'
import { printValue, readTopic, withReader } from '../read-topic.ts'
import type { Terminal } from '../terminal.ts'

interface ReadOptions extends ConfigOption {
  readonly follow?: true
  readonly fromEnd?: true
  readonly max?: number
  readonly values?: true
  readonly output?: string
  readonly reference?: string
}

/** `sealstream read`. */
export function registerRead(program: Command, terminal: Terminal): void {
  const read = program
    .command('read')
    .description('Print the original messages of a topic, opened through its references')
    .argument('[topic]', 'source topic, or its reference topic')
    .option('-f, --follow', 'go on with new messages until stopped')
    .option('--from-end', 'begin with the messages that come from now on')
    .option('-n, --max <count>', 'end after this many messages', parseCount)
    .option('--values', 'print the bare values, one a line, instead of JSON')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .option('--reference <json>', 'open this one reference value; no Kafka needed')
    .option('--json', 'print JSON, one message a line (the default)')
    .action((topic: string | undefined, options: ReadOptions) => read_(topic, options, terminal))
  withExamples(
    withConfigOption(read),
    'sealstream read orders | head -3',
    'sealstream read orders --follow --from-end --values',
    'sealstream read orders --output orders.ndjson',
    `sealstream read --reference '{"v":1,"object":"…","topic":"orders",…}'`,
  )
}

async function read_(
  topic: string | undefined,
  options: ReadOptions,
  terminal: Terminal,
): Promise<void> {
  if ((topic === undefined) === (options.reference === undefined)) {
    throw new SealError('SEAL_INPUT_INVALID', 'name a topic, or give one --reference, not both')
  }
  if (options.fromEnd && !options.follow) {
    throw new SealError('SEAL_INPUT_INVALID', '--from-end goes with --follow')
  }
  await withReader(options, terminal, async (place) => {
    if (topic === undefined) return printValue(options.reference ?? '', place)
    const { follow = false, max } = options
    await readTopic({ topic, from: options.fromEnd ? 'end' : 'beginning', follow, max }, place)
  })
}
