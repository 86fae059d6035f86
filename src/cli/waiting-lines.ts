import type { PatienceObserver } from '../pipeline/patience.ts'
import type { Terminal } from './terminal.ts'

/** One line when the waiting for a service begins, and one when it is over. */
export function waitingLines(terminal: Terminal): PatienceObserver {
  return {
    waiting: (_service, error, attempt) => {
      if (attempt === 1) terminal.err(`sealstream: waiting: ${error.message}\n`)
    },
    recovered: (service) => terminal.err(`sealstream: ${service} answers again\n`),
  }
}
