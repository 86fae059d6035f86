import type { ReencryptionUse } from '../compose/reencryption.ts'
import type { Terminal } from './terminal.ts'

/** One line when the waiting for a service begins, and one when it is over. */
export function sayingTo(terminal: Terminal): ReencryptionUse['observer'] {
  return {
    waiting: (_service, error, attempt) => {
      if (attempt === 1) terminal.err(`sealstream: waiting: ${error.message}\n`)
    },
    recovered: (service) => terminal.err(`sealstream: ${service} answers again\n`),
    keyEventsUnwritten: () => {},
    keyEventsLost: (count) => terminal.err(`sealstream: ${count} key events were not written\n`),
    keyRecordsFailed: () => {},
  }
}
