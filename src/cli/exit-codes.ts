import { isSealError } from '../errors.ts'

/** What every end of the command line means to a shell. Stable. */
export const EXIT_CODES = {
  ok: 0,
  /** It started and failed. */
  failed: 1,
  /** Wrong arguments, or a configuration that is refused. */
  refused: 2,
  /** The key, topic, partition, message or incident that was asked for is on no record. */
  keyUnknown: 3,
  /** Running instances were asked, and not all of them confirmed. */
  unanswered: 4,
  /** What was verified is not as it should be; index and store differ; an impact is not proven. */
  inconsistent: 5,
  /** The answer may lack something; it says what, and what to do about it. */
  incomplete: 6,
  /** A certificate is refused: something needs the KEK yet, or may come to need it; it is named. */
  stillNeeded: 7,
  /** An incident waits for a second person to approve its next step. */
  approvalMissing: 8,
  /** Another process works on the incident. */
  busy: 9,
  /** There was no drill that passed within the time that the configuration gives. */
  overdue: 10,
  /** Ended by SIGINT. */
  interrupted: 130,
  /** Ended by SIGTERM. */
  terminated: 143,
} as const

const REFUSALS = ['SEAL_CONFIG_INVALID', 'SEAL_INPUT_INVALID', 'SEAL_SIGNING_KEY_REFUSED'] as const
const UNKNOWN = ['SEAL_KEY_UNKNOWN', 'SEAL_SOURCE_UNKNOWN', 'SEAL_INCIDENT_UNKNOWN'] as const

/** The exit code of a command that threw `error`. */
export function exitCodeOf(error: unknown): number {
  if (isSealError(error, ...REFUSALS)) return EXIT_CODES.refused
  if (isSealError(error, 'SEAL_STATEMENT_REFUSED')) return EXIT_CODES.inconsistent
  if (isSealError(error, ...UNKNOWN)) return EXIT_CODES.keyUnknown
  if (isSealError(error, 'SEAL_INCIDENT_BUSY')) return EXIT_CODES.busy
  return EXIT_CODES.failed
}
