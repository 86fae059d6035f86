import type { Command } from 'commander'

/** What {@link withConfigOption} adds to the options of a command. */
export interface ConfigOption {
  readonly config?: string
}

/** Adds `-c, --config <file>`, which every command with a configuration takes. */
export function withConfigOption(command: Command): Command {
  return command.option(
    '-c, --config <file>',
    'configuration file (default: $SEALSTREAM_CONFIG, else ./sealstream.yaml)',
  )
}

/** Adds examples to the end of the help of a command; one whole command line each. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ ${example}`)
  return command.addHelpText('after', ['', 'Examples:', ...lines].join('\n'))
}
