/** What can go wrong with the stack, as a closed list. The product's own codes stay in src/errors.ts. */
export type StackErrorCode =
  /** A program the stack needs is not installed. */
  | 'STACK_TOOL_MISSING'
  /** A part could not be fetched or built. */
  | 'STACK_INSTALL_FAILED'
  /** A port belongs to somebody else, or a port setting is refused. */
  | 'STACK_PORT_REFUSED'
  /** A part ended or stayed silent while it was starting. */
  | 'STACK_START_FAILED'
  /** Another process is changing the same stack and does not finish. */
  | 'STACK_BUSY'

/** The one error class of the service stack. The message names the part and the way out. */
export class StackError extends Error {
  readonly code: StackErrorCode
  /** Lines that explain the failure: the tail of a log or of a tool's output. May be empty. */
  readonly tail: readonly string[]

  constructor(code: StackErrorCode, message: string, tail: readonly string[] = []) {
    super(message)
    this.name = 'StackError'
    this.code = code
    this.tail = tail
  }
}
