import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { messageOf, SealError } from '../../errors.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { APPROVED_STEPS, approvalDetails } from '../../response/approval.ts'
import { IncidentJournal } from '../../response/incident-journal.ts'
import { INCIDENT_STEPS, type IncidentStep } from '../../response/incident-log.ts'
import { parseName } from '../incident-options.ts'
import { incidentJson, renderIncident } from '../incident-text.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { renderJson, renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface ApproveOptions extends ConfigOption {
  readonly step: IncidentStep
  readonly by: string
  readonly key?: string
  readonly json?: true
}

/** `sealstream incident approve`. */
export function registerApprove(incident: Command, terminal: Terminal): void {
  const approve = incident
    .command('approve')
    .description('Let a step go on that destroys; not for who declared the incident')
    .argument('<id>', 'the incident')
    .requiredOption('--step <step>', `the step: ${APPROVED_STEPS.join(', ')}`, parseStep)
    .requiredOption('--by <name>', 'who approves', parseName)
    .option('--key <file>', 'Ed25519 private key (PEM) of who approves; signs the approval')
    .option('--json', 'print JSON')
    .action((id: string, options: ApproveOptions) => answer(id, options, terminal))
  withExamples(
    withConfigOption(approve),
    'sealstream incident approve 2026-01-02-3f9a2c --step retire --by bob',
    'sealstream incident approve 2026-01-02-3f9a2c --step retire --by bob --key bob.pem',
  )
}

async function answer(id: string, options: ApproveOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { step, by, key } = options
  const privateKeyPem = key === undefined ? null : await pemOf(key)
  const { withIncidents } = await import('../../compose/incident.ts')
  await withIncidents(config, async (services) => {
    const actor = actorOfOperator()
    const journal = await IncidentJournal.open(services, id.trim(), { actor, runId: null })
    const { incident } = journal
    const details = approvalDetails(incident, { step, by, privateKeyPem }, services.approvers)
    await journal.append({ kind: 'approved', step, details })
    if (privateKeyPem === null) warn(incident.declaration.actor === actor, terminal)
    terminal.out(
      options.json
        ? renderJson(incidentJson(journal.incident))
        : `${renderIncident(journal.incident)}\ngo on with: sealstream incident run ${printable(id)}\n`,
    )
  })
}

/** What an approval without a signature is worth is said whenever one is given. */
function warn(isSameUser: boolean, terminal: Terminal): void {
  terminal.err(
    renderWarning('the approval is not signed: who it is by is what this command was told'),
  )
  if (!isSameUser) return
  terminal.err(
    renderWarning(
      'the incident was declared by the same user of the same machine; it is on record',
    ),
  )
}

async function pemOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new SealError('SEAL_INPUT_INVALID', `${file} cannot be read: ${messageOf(error)}`)
  }
}

function parseStep(text: string): IncidentStep {
  const step = INCIDENT_STEPS.find((one) => one === text.trim())
  if (step !== undefined) return step
  throw new InvalidArgumentError(`one of ${APPROVED_STEPS.join(', ')}`)
}
