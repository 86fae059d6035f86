import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { SealError } from '../../errors.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { stepOf } from '../../response/incident.ts'
import { IncidentJournal } from '../../response/incident-journal.ts'
import { isOpen } from '../../response/open-incidents.ts'
import { parseReason } from '../await-rotation.ts'
import { incidentJson, renderIncident } from '../incident-text.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson, renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface WithdrawOptions extends ConfigOption {
  readonly reason: string
  readonly json?: true
}

/** `sealstream incident withdraw`. */
export function registerWithdraw(incident: Command, terminal: Terminal): void {
  const withdraw = incident
    .command('withdraw')
    .description('End an incident that was declared by mistake; what it has done stays done')
    .argument('<id>', 'the incident')
    .requiredOption('--reason <text>', 'why; it stands on record for good', parseReason)
    .option('--json', 'print JSON')
    .action((id: string, options: WithdrawOptions) => answer(id, options, terminal))
  withExamples(
    withConfigOption(withdraw),
    'sealstream incident withdraw 2026-01-02-3f9a2c --reason "declared for the wrong KEK"',
  )
}

async function answer(id: string, options: WithdrawOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { withIncidents } = await import('../../compose/incident.ts')
  await withIncidents(config, async (services) => {
    const keeper = { actor: actorOfOperator(), runId: null }
    const journal = await IncidentJournal.open(services, id.trim(), keeper)
    const { incident } = journal
    if (!isOpen(incident)) {
      throw new SealError('SEAL_INPUT_INVALID', 'the incident is not open any more')
    }
    await journal.append({ kind: 'withdrawn', details: { reason: options.reason } })
    const { newKekId, orderId } = incident.declaration
    if (stepOf(incident, 'contain').attempts > 0 && newKekId !== null) {
      terminal.err(
        renderWarning(
          `KEK order ${orderId} stands: new data keys come under ${newKekId}; see sealstream rotate status`,
        ),
      )
    }
    const { incident: now } = journal
    terminal.out(options.json ? renderJson(incidentJson(now)) : renderIncident(now))
  })
}
