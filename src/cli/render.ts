import { isSealError, messageOf } from '../errors.ts'
import { printable } from './printable.ts'

/** How a failure is shown. */
export interface FailureStyle {
  /** One JSON object in place of a sentence. */
  readonly json: boolean
  /** Adds the stack of an unexpected error. */
  readonly debug: boolean
}

/** One line for the end of a command, with its newline; a stack follows only in debug style. */
export function renderFailure(error: unknown, { json, debug }: FailureStyle): string {
  const { code, retryable } = isSealError(error) ? error : { code: null, retryable: false }
  if (json) return renderJson({ code, message: messageOf(error), retryable })
  const message = printable(messageOf(error))
  if (code !== null) return `sealstream: ${message} [${code}]\n`
  if (debug && error instanceof Error) {
    const stack = (error.stack ?? '').split('\n').map(printable).join('\n')
    return `sealstream: ${message}\n${stack}\n`
  }
  return `sealstream: ${message} (set SEALSTREAM_LOG_LEVEL=debug for the stack)\n`
}

/** One remark on stderr, with its newline. */
export function renderWarning(warning: string): string {
  return `sealstream: warning: ${printable(warning)}\n`
}

/** One JSON value on one line, with its newline: JSON Lines when called again. */
export function renderJson(value: unknown): string {
  // JSON itself escapes the control characters below the space alone; terminals obey these too.
  const text = JSON.stringify(value).replace(
    /[\u007f-\u009f]/g,
    (char) => `\\u00${char.charCodeAt(0).toString(16)}`,
  )
  return `${text}\n`
}
