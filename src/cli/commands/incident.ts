import type { Command } from 'commander'
import { withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'
import { registerApprove } from './incident-approve.ts'
import { registerDeclare } from './incident-declare.ts'
import { registerIncidentRun } from './incident-run.ts'
import { registerIncidentReport, registerIncidentStatus, registerList } from './incident-status.ts'
import { registerWithdraw } from './incident-withdraw.ts'

/** `sealstream incident`. */
export function registerIncident(program: Command, terminal: Terminal): void {
  const incident = program
    .command('incident')
    .description('A KEK leaked: contain, assess, clean, prove and retire, step by step on record')
    .helpCommand(false)
  registerDeclare(incident, terminal)
  registerIncidentRun(incident, terminal)
  registerIncidentStatus(incident, terminal)
  registerApprove(incident, terminal)
  registerWithdraw(incident, terminal)
  registerIncidentReport(incident, terminal)
  registerList(incident, terminal)
  withExamples(
    incident,
    'sealstream incident declare --kek OLD --to NEW --reason "rights on OLD leaked"',
    'sealstream incident run',
    'sealstream incident approve 2026-01-02-3f9a2c --step retire --by bob',
  )
}
