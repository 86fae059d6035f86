import { isSealError, messageOf } from '../errors.ts'

/** How a failure is shown. */
export interface FailureStyle {
  /** One JSON object in place of a sentence. */
  readonly json: boolean
  /** Adds the stack of an unexpected error. */
  readonly debug: boolean
}

/** One line for the end of a command, with its newline; a stack follows only in debug style. */
export function renderFailure(error: unknown, { json, debug }: FailureStyle): string {
  const message = messageOf(error)
  if (isSealError(error)) {
    const { code, retryable } = error
    return json ? renderJson({ code, message, retryable }) : `sealstream: ${message} [${code}]\n`
  }
  if (json) return renderJson({ code: null, message, retryable: false })
  if (debug && error instanceof Error) return `sealstream: ${message}\n${error.stack ?? ''}\n`
  return `sealstream: ${message} (set SEALSTREAM_LOG_LEVEL=debug for the stack)\n`
}

/** One remark on stderr, with its newline. */
export function renderWarning(warning: string): string {
  return `sealstream: warning: ${warning}\n`
}

/** One JSON value on one line, with its newline: JSON Lines when called again. */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
