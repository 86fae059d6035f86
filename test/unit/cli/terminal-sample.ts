import type { Terminal } from '../../../src/cli/terminal.ts'

/** A terminal that remembers what was written. */
export function recordTerminal(env: Readonly<Record<string, string>> = {}) {
  const written = { out: '', err: '' }
  const terminal: Terminal = {
    env,
    out: (text) => {
      written.out += text
    },
    err: (text) => {
      written.err += text
    },
    exitCode: 0,
  }
  return { terminal, written }
}
