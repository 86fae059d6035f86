import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { messageOf, SealError } from '../errors.ts'

export type { Logger }

const STDERR_FD = 2
const BACKLOG_BYTES_MAX = 1024 * 1024

const SECRET_KEYS = [
  'password',
  'secretAccessKey',
  'accessKeyId',
  'sessionToken',
  'authorization',
  'Authorization',
  'plaintext',
  'secret',
  'token',
]

/** Redaction is the second line of defence; the first is that nothing secret is handed over. */
const SECRET_PATHS = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`, `*.*.*.${key}`])

/** How the logger is made. Without `stream`, lines go to stderr: stdout is for data. */
export interface LoggerOptions {
  readonly level: Config['log']['level']
  readonly stream?: DestinationStream
}

/** A logger of JSON lines. Values under secret-like names are replaced by `[redacted]`. */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { service: 'sealstream' },
      timestamp: () => `,"time":"${new Date(systemClock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: '[redacted]' },
      serializers: { err: describeError, error: describeError },
    },
    options.stream ?? stderrLines(),
  )
}

/**
 * Written at once: the last line before a crash is the one that matters. A disk that is full costs
 * lines, not the process: the oldest wait for room, up to a bound, and newer ones are dropped.
 */
function stderrLines(): DestinationStream {
  const lines = destination({ fd: STDERR_FD, sync: true, maxLength: BACKLOG_BYTES_MAX })
  lines.on('error', () => {})
  return lines
}

/** Fields by name only: errors of SDKs carry whole requests, with their credentials. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return messageOf(error)
  return {
    type: error.name,
    message: messageOf(error),
    ...(error instanceof SealError && { code: error.code, retryable: error.retryable }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: messageOf(error.cause) }),
  }
}
