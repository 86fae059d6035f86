import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { declare, type NewDeclaration, normal } from '../../response/declare.ts'
import type { Declaration } from '../../response/incident.ts'
import { incidentOf } from '../../response/incident.ts'
import { IncidentJournal } from '../../response/incident-journal.ts'
import { Notifier } from '../../response/notices.ts'
import { parseReason } from '../await-rotation.ts'
import { type PaceOptions, paceOf, parseName, withPaceOptions } from '../incident-options.ts'
import { incidentJson, renderIncident, renderIncidentPlan } from '../incident-text.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson, renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface DeclareOptions extends ConfigOption, PaceOptions {
  readonly kek: string
  readonly kekVersion?: string
  readonly to?: string
  readonly reason: string
  readonly by?: string
  readonly plan?: true
  readonly json?: true
}

/** What AWS asks for symmetric requests. */
const USD_PER_10K_CALLS = 0.03

/** `sealstream incident declare`. */
export function registerDeclare(incident: Command, terminal: Terminal): void {
  const declaring = incident
    .command('declare')
    .description('Put on record that a KEK leaked, and what replaces it; touches no key yet')
    .requiredOption('--kek <id>', 'the KEK that leaked: its ARN or bare id')
    .option('--kek-version <version>', 'only this version of it')
    .option('--to <kek>', 'the new KEK (default: a new version of the same, with --kek-version)')
    .requiredOption('--reason <text>', 'why; it stands on record for good', parseReason)
    .option('--by <name>', 'who declares (default: the user of this machine)', parseName)
    .option('--plan', 'count, price and time the whole incident; change nothing')
    .option('--json', 'print JSON')
    .action((options: DeclareOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(withPaceOptions(declaring)),
    'sealstream incident declare --kek OLD --to NEW --reason "rights on OLD leaked" --plan',
    'sealstream incident declare --kek OLD --to NEW --reason "rights on OLD leaked"',
    'sealstream incident declare --kek OLD --kek-version 3 --reason "version 3 leaked" --by alice',
  )
}

async function answer(options: DeclareOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const asked = normal(declarationOf(options))
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  if (options.plan) await plan(config, asked, options, terminal)
  else await putOnRecord(config, asked, options, terminal)
}

function declarationOf({ kek, kekVersion, to, reason, by }: DeclareOptions): NewDeclaration {
  const actor = actorOfOperator()
  return {
    ...{ kind: 'incident', kekId: kek, kekVersion: kekVersion ?? null, newKekId: to ?? null },
    ...{ keyDomain: null, reason, by: by ?? actor, actor },
  }
}

async function plan(
  config: Config,
  asked: NewDeclaration,
  options: DeclareOptions,
  terminal: Terminal,
): Promise<void> {
  const { withIncidentPlan } = await import('../../compose/incident-plan.ts')
  const declaration: Declaration = {
    ...asked,
    incidentId: 'plan',
    declaredAtMs: 0,
    orderId: 'plan',
  }
  const planned = await withIncidentPlan(config, paceOf(options), USD_PER_10K_CALLS, (make) =>
    make(declaration),
  )
  terminal.out(options.json ? renderJson(planned) : renderIncidentPlan(planned))
}

async function putOnRecord(
  config: Config,
  asked: NewDeclaration,
  { json }: DeclareOptions,
  terminal: Terminal,
): Promise<void> {
  const { withIncidents } = await import('../../compose/incident.ts')
  await withIncidents(config, async (services) => {
    const { incidentId } = await declare(services, asked)
    const keeper = { actor: asked.actor, runId: null }
    const journal = await IncidentJournal.open(services, incidentId, keeper)
    const notifier = new Notifier(journal, services.hooks, (text) =>
      terminal.err(renderWarning(text)),
    )
    notifier.catchUp()
    await notifier.settle()
    const incident = incidentOf(incidentId, await services.log.events(incidentId))
    terminal.out(
      json
        ? renderJson(incidentJson(incident))
        : `${renderIncident(incident)}\ngo on with: sealstream incident run ${incidentId}\n`,
    )
  })
}
