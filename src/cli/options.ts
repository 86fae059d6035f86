import { type Command, InvalidArgumentError } from 'commander'
import { readAgeMs } from '../config/quantity.ts'
import { isId } from '../format/ids.ts'

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

/** The id of a DEK as people paste it: blanks around it and upper case are taken. */
export function parseDekId(text: string): string {
  const dekId = text.trim().toLowerCase()
  if (isId(dekId)) return dekId
  throw new InvalidArgumentError('the id of a data key is a UUID')
}

/** An age in milliseconds, as `36h` or `30d`. */
export function parseAge(text: string): number {
  const ageMs = readAgeMs(text)
  if (typeof ageMs === 'number') return ageMs
  throw new InvalidArgumentError(ageMs.refused)
}

/** How many of a kind are printed. */
export function parseLimit(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count
  throw new InvalidArgumentError('a whole number from 0 on')
}

/** How many are wanted, of what makes no sense with none. */
export function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new InvalidArgumentError('a whole number from 1 on')
}
