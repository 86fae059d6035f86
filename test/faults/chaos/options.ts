import { randomInt } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'

/** What a run is told. */
export interface ChaosOptions {
  readonly minutes: number
  /** Decides every event and its length; what the machine makes of it is not decided. */
  readonly seed: number
  /** Messages a second. */
  readonly rate: number
  /** Whether the folder stays though nothing was wrong. */
  readonly keep: boolean
}

/** Reads the command line. Ends the process with a message when it is wrong. */
export function chaosOptions(argv: readonly string[]): ChaosOptions {
  const program = new Command('chaos')
    .description('Seals a steady load while everything around is killed, stopped and cut off')
    .option('--minutes <number>', 'how long events go on', positive, 30)
    .option('--seed <number>', 'the seed of the events', whole, randomInt(2 ** 31))
    .option('--rate <number>', 'messages a second', positive, 500)
    .option('--keep', 'keep the folder with logs and data though all is well', false)
  return program.parse(argv as string[], { from: 'user' }).opts<ChaosOptions>()
}

function positive(text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('a number above 0.')
}

function whole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError('a whole number.')
}
