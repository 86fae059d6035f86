import { isSealError } from '../errors.ts'

/** What every end of the command line means to a shell. Stable. */
export const EXIT_CODES = {
  ok: 0,
  /** It started and failed. */
  failed: 1,
  /** Wrong arguments, or a configuration that is refused. */
  refused: 2,
  /** The key, topic, partition or message that was asked for is on no record. */
  keyUnknown: 3,
  /** Running instances were asked, and not all of them confirmed. */
  unanswered: 4,
  /** What was verified is not as it should be; index and store differ; an impact is not proven. */
  inconsistent: 5,
  /** The answer may lack something; it says what, and what to do about it. */
  incomplete: 6,
  /** A certificate is refused: something needs the KEK yet, or may come to need it; it is named. */
  stillNeeded: 7,
  /** Ended by SIGINT. */
  interrupted: 130,
  /** Ended by SIGTERM. */
  terminated: 143,
} as const

const REFUSALS = ['SEAL_CONFIG_INVALID', 'SEAL_INPUT_INVALID', 'SEAL_SIGNING_KEY_REFUSED'] as const

/** The exit code of a command that threw `error`. */
export function exitCodeOf(error: unknown): number {
  if (isSealError(error, ...REFUSALS)) return EXIT_CODES.refused
  if (isSealError(error, 'SEAL_STATEMENT_REFUSED')) return EXIT_CODES.inconsistent
  if (isSealError(error, 'SEAL_KEY_UNKNOWN', 'SEAL_SOURCE_UNKNOWN')) return EXIT_CODES.keyUnknown
  return EXIT_CODES.failed
}
