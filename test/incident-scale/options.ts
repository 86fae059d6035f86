import { Command, InvalidArgumentError } from 'commander'
import type { BlastOptions } from './blast.ts'

/** What a run is told. */
export interface ScaleOptions {
  /** Of plaintext. */
  readonly gigabytes: number
  readonly messageBytes: number
  readonly readers: number
  /** Whether the folder stays though nothing was wrong. */
  readonly keep: boolean
}

/** Reads the command line. Ends the process with a message when it is wrong. */
export function scaleOptions(argv: readonly string[]): ScaleOptions {
  const program = new Command('nuclear')
    .description('A whole incident over much data, killed at every step boundary, under readers')
    .option('--gigabytes <number>', 'how much is sealed before', positive, 0.2)
    .option('--message-bytes <number>', 'size of each message', whole, 8192)
    .option('--readers <number>', 'readers at work all the time', whole, 3)
    .option('--keep', 'keep the folder with logs and data though all is well', false)
  return program.parse(argv as string[], { from: 'user' }).opts<ScaleOptions>()
}

/** The same for a run that holds `impact` against a scan. */
export function blastOptions(argv: readonly string[]): BlastOptions & { readonly keep: boolean } {
  const program = new Command('blast')
    .description('What impact says of every DEK against a scan of every byte, after random kills')
    .option('--messages <number>', 'how many are sealed', count, 1_000_000)
    .option('--deks <number>', 'about how many DEKs seal them', count, 20)
    .option('--message-bytes <number>', 'size of each message', whole, 100)
    .option('--seed <number>', 'of the times of the kills', count, 1)
    .option('--keep', 'keep the folder with logs and data though all is well', false)
  return program
    .parse(argv as string[], { from: 'user' })
    .opts<BlastOptions & { readonly keep: boolean }>()
}

function positive(text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('a number above 0.')
}

function count(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000_000) return value
  throw new InvalidArgumentError('a whole number from 1 to 1000000000.')
}

function whole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1024 * 1024) return value
  throw new InvalidArgumentError('a whole number from 1 to 1048576.')
}
