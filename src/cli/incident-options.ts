import { type Command, InvalidArgumentError } from 'commander'
import { readBytes } from '../config/quantity.ts'
import type { StepPace } from '../response/step-work.ts'

/** What {@link withPaceOptions} adds to the options of a command. */
export interface PaceOptions {
  readonly kmsPerSecond: number
  readonly bytesPerSecond?: number
  readonly segmentsAtOnce: number
  readonly threads: number
  /** In seconds. */
  readonly timeout: number
}

/** A fiftieth of the smallest quota of AWS: the house burns, and sealing goes on beside. */
const KMS_PER_SECOND = 200
const SEGMENTS_AT_ONCE = 8
const TIMEOUT_SECONDS = 120

/** Adds what the steps of an incident may take. */
export function withPaceOptions(command: Command): Command {
  return command
    .option(
      '--kms-per-second <calls>',
      'calls to the KMS a second, at most, of the rewrap',
      numberUpTo(100_000, 'calls'),
      KMS_PER_SECOND,
    )
    .option('--bytes-per-second <size>', 'the most that is re-encrypted, e.g. 50MiB', parseBytes)
    .option(
      '--segments-at-once <count>',
      'segments that are re-encrypted at a time',
      wholeFrom(1),
      SEGMENTS_AT_ONCE,
    )
    .option('--threads <count>', 'threads that re-encrypt; 0 is one per core', wholeFrom(0), 0)
    .option(
      '--timeout <seconds>',
      'how long to wait for the instances',
      numberUpTo(86_400, 'seconds'),
      TIMEOUT_SECONDS,
    )
}

/** What they mean to the steps. */
export function paceOf(options: PaceOptions): StepPace {
  const { kmsPerSecond: kmsCallsPerSecond, segmentsAtOnce, threads, timeout } = options
  const bytesPerSecond = options.bytesPerSecond ?? Number.POSITIVE_INFINITY
  const answerWithinMs = timeout * 1000
  return { kmsCallsPerSecond, bytesPerSecond, segmentsAtOnce, threads, answerWithinMs }
}

/** A person's name, as it is put on record. */
export function parseName(text: string): string {
  const name = text.trim()
  if (name !== '' && name.length <= 100 && !/\p{Cc}/u.test(name)) return name
  throw new InvalidArgumentError('a name of 1 to 100 characters')
}

function parseBytes(text: string): number {
  const bytes = readBytes(text)
  if (typeof bytes !== 'number') throw new InvalidArgumentError(bytes.refused)
  if (bytes > 0) return bytes
  throw new InvalidArgumentError('more than 0')
}

function numberUpTo(max: number, of: string): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (Number.isFinite(number) && number > 0 && number <= max) return number
    throw new InvalidArgumentError(`a number of ${of} up to ${max}`)
  }
}

function wholeFrom(min: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,4}$/.test(text) && Number(text) >= min) return Number(text)
    throw new InvalidArgumentError(`a whole number from ${min} on`)
  }
}
