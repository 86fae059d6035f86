import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { messageOf, SealError } from '../../errors.ts'
import { openOutputFile, stdoutOutput } from '../data-output.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { MessagePrinter } from '../message-printer.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

interface OpenOptions extends ConfigOption {
  readonly values?: true
  readonly output?: string
  readonly keepGoing?: true
}

/** `sealstream open`. */
export function registerOpen(program: Command, terminal: Terminal): void {
  const open = program
    .command('open')
    .description(
      'Open references, one a line, and print their messages in the same order; no Kafka needed',
    )
    .argument('[file]', 'references as they stand in the reference topic; stdin without one')
    .option('-k, --keep-going', 'pass over what does not open, and say so; the exit code is 1 then')
    .option('--values', 'print the bare values, one a line, instead of JSON')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .option('--json', 'print JSON, one message a line (the default)')
    .action((file: string | undefined, options: OpenOptions) => open_(file, options, terminal))
  withExamples(
    withConfigOption(open),
    'sealstream open references.ndjson',
    'kcat -C -t orders.sealed -e | sealstream open --values',
    'sealstream open --keep-going dead.ndjson -o mended.ndjson',
  )
}

async function open_(
  file: string | undefined,
  options: OpenOptions,
  terminal: Terminal,
): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const { composeReader } = await import('../../compose/references.ts')
  const output = options.output === undefined ? stdoutOutput : await openOutputFile(options.output)
  const reader = composeReader(config)
  const stop = stopSignal()
  try {
    const printer = new MessagePrinter(output, options.values === true)
    const lines = linesOf(file === undefined ? process.stdin : createReadStream(file))
    const failing = options.keepGoing && {
      onFailure: (error: SealError) => {
        terminal.err(`sealstream: ${error.kind}: ${printable(error.message)} [${error.code}]\n`)
        terminal.exitCode = EXIT_CODES.failed
      },
    }
    const { signal } = stop
    for await (const message of reader.openMany(lines, { signal, ...failing })) {
      await printer.print([message])
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
    terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    stop.release()
    await reader.close()
    await output.close()
  }
}

/** Lines that are not empty. Throws SEAL_INPUT_INVALID when the input cannot be read. */
async function* linesOf(input: Readable): AsyncGenerator<string> {
  try {
    for await (const line of createInterface({ input })) if (line.trim() !== '') yield line
  } catch (error) {
    const message = `the references cannot be read: ${printable(messageOf(error))}`
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
}
