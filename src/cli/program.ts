import { Command, CommanderError } from 'commander'
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts'
import { withExamples } from './options.ts'
import { packageVersion } from './package-version.ts'
import { printable } from './printable.ts'
import { type FailureStyle, renderFailure } from './render.ts'
import type { Terminal } from './terminal.ts'

/** Adds one command to the program. */
export type Registration = (program: Command, terminal: Terminal) => void

/** The command line with its commands. Throws where commander would end the process. */
export function buildProgram(registrations: readonly Registration[], terminal: Terminal): Command {
  const program = new Command('sealstream')
    .description('Seals Kafka messages under windowed data keys and publishes references to them')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    // What stands behind the name of a command is its own, also where its parent has the same option.
    .enablePositionalOptions()
    .showHelpAfterError()
    // Options behind the name of a command belong to that command.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      outputError: (text, write) => write(shownError(text)),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
  for (const register of registrations) register(program, terminal)
  refuseRepeats(program)
  return withExamples(
    program,
    'sealstream config example > sealstream.yaml',
    'sealstream config check',
    'sealstream run',
  )
}

/** Commander quotes what it was given, which must not steer the terminal. */
function shownError(text: string): string {
  const lines = text
    .replace(/^error: /, 'sealstream: ')
    .trimEnd()
    .split('\n')
  return `${lines.map(printable).join('\n')}\n`
}

/** Commander takes the last of two; whoever asked for two keys would get the answer for one. */
function refuseRepeats(command: Command): void {
  for (const option of command.options.filter(({ variadic }) => !variadic)) {
    let count = 0
    command.on(`option:${option.name()}`, () => {
      if (++count > 1) command.error(`error: option '${option.flags}' is given twice`)
    })
  }
  command.commands.forEach(refuseRepeats)
}

/** Runs one command line (without node and script) and gives its exit code. Never rejects. */
export async function runCommandLine(
  args: readonly string[],
  registrations: readonly Registration[],
  terminal: Terminal,
): Promise<number> {
  try {
    await buildProgram(registrations, terminal).parseAsync(args, { from: 'user' })
    return terminal.exitCode
  } catch (error) {
    // Commander has said it already; its own exit codes are 0 and 1 only.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.refused
    }
    terminal.err(renderFailure(error, failureStyle(args, terminal)))
    return exitCodeOf(error)
  }
}

/** How failures of this command line are shown. */
export function failureStyle(args: readonly string[], terminal: Terminal): FailureStyle {
  const level = terminal.env.SEALSTREAM_LOG_LEVEL
  return { json: args.includes('--json'), debug: level === 'debug' || level === 'trace' }
}
