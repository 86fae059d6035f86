/**
 * Every failure that a user, an operator or a caller may meet, as a closed list of codes.
 * The message names the thing that failed and the way out; it never carries key bytes or plaintext.
 */
export const ERROR_CODES = {
  SEAL_CONFIG_INVALID: 'the configuration is refused; the message names the path and the reason',
  SEAL_TOPIC_MISSING: 'a configured Kafka topic does not exist',
  SEAL_KAFKA_UNAVAILABLE: 'no Kafka broker answers',
  SEAL_KAFKA_REFUSED: 'Kafka answers, but refuses (credentials, rights, settings)',
  SEAL_FENCED: 'another process has taken over this lane',
  SEAL_TOO_LATE: 'a segment was not published in time; its messages are sealed anew',
  SEAL_SOURCE_GAP: 'Kafka no longer holds messages that were not sealed yet',
  SEAL_SOURCE_RESTARTED:
    'the offsets of a source partition went back: it was created again, or lost messages',
  SEAL_SOURCE_UNREADABLE: 'Kafka holds records that are damaged, or in a form that is not read',
  SEAL_STORE_UNAVAILABLE: 'the object store does not answer',
  SEAL_STORE_REFUSED: 'the object store answers, but refuses (credentials, bucket, rights)',
  SEAL_OBJECT_MISSING: 'the object that a reference names does not exist',
  SEAL_OBJECT_CHANGED: 'somebody else has replaced the object meanwhile',
  SEAL_MAPPING_UNAVAILABLE: 'Cassandra does not answer',
  SEAL_MAPPING_REFUSED: 'Cassandra answers, but refuses (credentials, keyspace, rights)',
  SEAL_KMS_UNAVAILABLE: 'the KMS does not answer; a later try may succeed',
  SEAL_KMS_DENIED: 'the KMS answers, but the caller may not use the key (credentials, rights)',
  SEAL_KMS_REFUSED: 'the KMS answers, but refuses (settings, kind of key)',
  SEAL_KEK_DISABLED:
    'the KEK is switched off or about to be deleted; whoever runs the KMS can undo it',
  SEAL_KEK_DESTROYED: 'the KMS holds no such KEK, or no longer the version that is needed',
  SEAL_KEY_TAMPERED: 'a wrapped data key was altered, or belongs to another context or KEK',
  SEAL_KEK_NOT_ALLOWED: 'the KEK that wraps this data key is not on the allow-list of the reader',
  SEAL_OBJECT_NOT_ALLOWED: 'the reference names an object that the reader may not read',
  SEAL_KEK_FORBIDDEN: 'new data keys would come under the KEK that is to be left',
  SEAL_KEY_UNKNOWN: 'no such DEK or KEK is on record',
  SEAL_INCIDENT_UNKNOWN: 'no such incident is on record',
  SEAL_INCIDENT_BUSY: 'another process works on this incident',
  SEAL_NOTICE_FAILED: 'a webhook could not be told of an incident',
  SEAL_SOURCE_UNKNOWN: 'no such topic, partition or message is on record',
  SEAL_MESSAGE_UNSEALABLE: 'a message breaks a limit of the format and was not sealed',
  SEAL_MALFORMED: 'bytes do not follow the format',
  SEAL_SUITE_UNKNOWN: 'the format version or cipher suite is not on the allow-list',
  SEAL_COMMITMENT_MISMATCH: 'the data key does not belong to this segment',
  SEAL_OPEN_FAILED: 'a frame does not authenticate: wrong key, wrong place or altered bytes',
  SEAL_CONTEXT_MISMATCH: 'the opened message is not the one that the reference names',
  SEAL_SHREDDED: 'the message was destroyed on purpose, for good (sealstream shred)',
  SEAL_REFERENCE_INVALID: 'a reference value is not one that sealstream wrote',
  SEAL_CIPHER_UNAVAILABLE: 'the cipher engine that is asked for does not work on this machine',
  SEAL_PORT_TAKEN: 'the address of the metrics server is in use',
  SEAL_STATEMENT_REFUSED: 'a signed statement was altered, or another key signed it',
  SEAL_SIGNING_KEY_REFUSED: 'the key that signs or verifies statements cannot be used',
  SEAL_STOPPED: 'the work was given up because the process is stopping',
  SEAL_INPUT_INVALID: 'an argument or an input file is refused',
  SEAL_OUTPUT_FAILED: 'the output of a command cannot be written',
} as const

/** One code out of {@link ERROR_CODES}. Codes are stable; messages are not. */
export type ErrorCode = keyof typeof ERROR_CODES

/**
 * What a failure asks of whoever reads, whatever it was in detail:
 * - `malformed`: the bytes are no reference, no segment or of another version;
 * - `tampered`: a frame or a wrapped key was altered;
 * - `commitment-mismatch`: the data key is not the one of the segment;
 * - `key-unavailable`: the KMS is away, or the KEK is switched off for now;
 * - `store-unavailable`: the object store is away;
 * - `denied`: rights, settings or an allow-list forbid it;
 * - `destroyed`: the key is gone for good, so the message is;
 * - `gone`: the object is;
 * - `moved`: another frame, or another message, is where the reference points to;
 * - `other`: nothing that reading itself ends in.
 */
export type ErrorKind =
  | 'malformed'
  | 'tampered'
  | 'commitment-mismatch'
  | 'key-unavailable'
  | 'store-unavailable'
  | 'denied'
  | 'destroyed'
  | 'gone'
  | 'moved'
  | 'other'

/** The one place that says which code is of which kind; a code that is not here is `other`. */
const KINDS: Readonly<Partial<Record<ErrorCode, ErrorKind>>> = {
  SEAL_REFERENCE_INVALID: 'malformed',
  SEAL_MALFORMED: 'malformed',
  SEAL_SUITE_UNKNOWN: 'malformed',
  SEAL_OPEN_FAILED: 'tampered',
  SEAL_KEY_TAMPERED: 'tampered',
  SEAL_COMMITMENT_MISMATCH: 'commitment-mismatch',
  SEAL_KMS_UNAVAILABLE: 'key-unavailable',
  SEAL_KEK_DISABLED: 'key-unavailable',
  SEAL_STORE_UNAVAILABLE: 'store-unavailable',
  SEAL_KMS_DENIED: 'denied',
  SEAL_KMS_REFUSED: 'denied',
  SEAL_KEK_NOT_ALLOWED: 'denied',
  SEAL_OBJECT_NOT_ALLOWED: 'denied',
  SEAL_STORE_REFUSED: 'denied',
  SEAL_KEK_DESTROYED: 'destroyed',
  SEAL_SHREDDED: 'destroyed',
  SEAL_OBJECT_MISSING: 'gone',
  SEAL_CONTEXT_MISMATCH: 'moved',
  SEAL_OBJECT_CHANGED: 'moved',
}

/** What an error may say besides its code: whether a later try can succeed, and what caused it. */
export interface SealErrorOptions {
  /** true when the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean
  readonly cause?: unknown
}

/**
 * The one error class of sealstream. Callers tell failures apart by `code`, never by message or
 * class, because an error that crosses a thread boundary keeps neither its class nor its fields.
 */
export class SealError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: SealErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SealError'
    this.code = code
    this.retryable = options.retryable ?? false
  }

  /** What the code asks of a reader. */
  get kind(): ErrorKind {
    return KINDS[this.code] ?? 'other'
  }
}

/** True when `error` is a SealError, with one of `codes` where any are given. */
export function isSealError(error: unknown, ...codes: ErrorCode[]): error is SealError {
  return error instanceof SealError && (codes.length === 0 || codes.includes(error.code))
}

/** A SealError in the plain form that survives `postMessage`; {@link fromPlainError} is its pair. */
export interface PlainError {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
}

/** Strips an error down to what may cross a thread boundary. A foreign error gets `fallback`. */
export function toPlainError(error: unknown, fallback: ErrorCode): PlainError {
  if (error instanceof SealError) {
    return { code: error.code, message: error.message, retryable: error.retryable }
  }
  return { code: fallback, message: messageOf(error), retryable: false }
}

/** Rebuilds the SealError that {@link toPlainError} took apart. */
export function fromPlainError(plain: PlainError): SealError {
  return new SealError(plain.code, plain.message, { retryable: plain.retryable })
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.replace(/\s+/g, ' ').trim()
}
