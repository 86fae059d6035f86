import type { Environment } from '../config/environment.ts'

/** What a command sees of its surroundings. Tests give their own. */
export interface Terminal {
  readonly env: Environment
  /** Writes data to stdout. The text brings its own newlines. */
  out(text: string): void
  /** Writes remarks and failures to stderr. */
  err(text: string): void
  /** The exit code when no error is thrown. A command may set it. */
  exitCode: number
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    env: process.env,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    exitCode: 0,
  }
}
