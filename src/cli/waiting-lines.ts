import type { ReencryptionUse } from '../compose/reencryption.ts'
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

/** The same, and a line for key events that were lost. */
export function sayingTo(terminal: Terminal): ReencryptionUse['observer'] {
  return {
    ...waitingLines(terminal),
    keyEventsUnwritten: () => {},
    keyEventsLost: (count) => terminal.err(`sealstream: ${count} key events were not written\n`),
    keyRecordsFailed: () => {},
  }
}
