import { type Command, InvalidArgumentError } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { SealError } from '../../errors.ts'
import { parseReferences } from '../../format/reference-list.ts'
import type { Reference } from '../../format/reference-value.ts'
import type { SealedReader } from '../../reader/sealed-reader.ts'
import { openOutputFile, stdoutOutput } from '../data-output.ts'
import { guardKeys } from '../guard-keys.ts'
import { MessagePrinter } from '../message-printer.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { startProgress } from '../progress.ts'
import { stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

interface ReadOptions extends ConfigOption {
  readonly follow?: true
  readonly fromEnd?: true
  readonly max?: number
  readonly values?: true
  readonly output?: string
  readonly reference?: string
}

/** Frames opened at a time: bounds memory, and fills ranged requests. */
const SLICE_BYTES_MAX = 8 * 1024 * 1024
const SLICE_REFERENCES_MAX = 5_000

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
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const { composeReader } = await import('../../compose/references.ts')
  const file = options.output
  const output = file === undefined ? stdoutOutput : await openOutputFile(file)
  const reader = composeReader(config)
  try {
    const printer = new MessagePrinter(output, options.values === true)
    if (topic === undefined) {
      for (const slice of slicesOf(parseReferences(options.reference ?? ''))) {
        await printer.print(await reader.openReferences(slice))
      }
    } else {
      await readTopic(topic, options, config, reader, printer)
    }
  } finally {
    await reader.close()
    await output.close()
  }
}

async function readTopic(
  topic: string,
  options: ReadOptions,
  config: Config,
  reader: SealedReader,
  printer: MessagePrinter,
): Promise<void> {
  const stop = stopSignal()
  const enough = new AbortController()
  const isToTerminal = options.output === undefined && process.stdout.isTTY
  const progress = startProgress('messages', !isToTerminal)
  let left = options.max ?? Number.POSITIVE_INFINITY
  // Fetches of several partitions come at once; their messages must not mix within a line.
  let turn = Promise.resolve()
  try {
    const { readReferences } = await import('../../compose/references.ts')
    await readReferences(
      config,
      {
        topic,
        from: options.fromEnd ? 'end' : 'beginning',
        follow: options.follow ?? false,
        signal: AbortSignal.any([stop.signal, enough.signal]),
      },
      (values) => {
        const work = async () => {
          for (const slice of slicesOf(values.flatMap((value) => parseReferences(value)))) {
            const messages = await reader.openReferences(slice.slice(0, left))
            left -= messages.length
            await printer.print(messages)
            progress.add(messages.length)
            if (left > 0) continue
            enough.abort()
            return
          }
        }
        turn = turn.then(work)
        return turn
      },
    )
  } finally {
    progress.end()
    stop.release()
  }
}

function* slicesOf(references: readonly Reference[]): Generator<Reference[]> {
  let slice: Reference[] = []
  let bytes = 0
  for (const reference of references) {
    slice.push(reference)
    bytes += reference.length
    if (bytes < SLICE_BYTES_MAX && slice.length < SLICE_REFERENCES_MAX) continue
    yield slice
    slice = []
    bytes = 0
  }
  if (slice.length > 0) yield slice
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new InvalidArgumentError('a whole number from 1 on')
}
