import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { armFailpoint } from '../../failpoints.ts'
import { openIncidentId } from '../../response/open-incidents.ts'
import { guardKeys } from '../guard-keys.ts'
import { type PaceOptions, paceOf, withPaceOptions } from '../incident-options.ts'
import { runFromTerminal } from '../incident-run.ts'
import { renderRunEnd, runEndJson } from '../incident-text.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

interface RunOptions extends ConfigOption, PaceOptions {
  readonly dead?: readonly string[]
  readonly takeOver?: string
  readonly disableInKms?: true
  /** false: no list. */
  readonly list?: string | false
  readonly json?: true
}

/** `sealstream incident run`. */
export function registerIncidentRun(incident: Command, terminal: Terminal): void {
  const run = incident
    .command('run')
    .description('Go through the steps, from where the incident stands; run it again at any time')
    .argument('[id]', 'the incident (default: the one that is open)')
    .option(
      '--list <file>',
      'where the list of messages goes; .csv for CSV (default: named after the incident)',
    )
    .option('--no-list', 'count the messages only')
    .option('--disable-in-kms', 'once approved, switch the old KEK off in the KMS (aws, local)')
    .option(
      '--dead <instance...>',
      'silent instances that have ended, as you know: do not wait for their word',
    )
    .option('--take-over <process>', 'the process that worked on it and has ended, as you know')
    .option('--json', 'print JSON')
    .action((id: string | undefined, options: RunOptions) => answer(id, options, terminal))
  withExamples(
    withConfigOption(withPaceOptions(run)),
    'sealstream incident run 2026-01-02-3f9a2c',
    'sealstream incident run 2026-01-02-3f9a2c --bytes-per-second 200MiB --list messages.csv',
    'sealstream incident run 2026-01-02-3f9a2c --disable-in-kms --json',
  )
}

async function answer(
  id: string | undefined,
  options: RunOptions,
  terminal: Terminal,
): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const armed = armFailpoint(env)
  if (armed !== null) terminal.err(`sealstream: ${armed}\n`)
  const { withIncidents } = await import('../../compose/incident.ts')
  const stop = stopSignal()
  try {
    await withIncidents(config, async (services) => {
      const incidentId = id?.trim() ?? (await openIncidentId(services.log))
      const { list } = options
      const settings = {
        ...{ incidentId, pace: paceOf(options), dead: new Set(options.dead ?? []), stop },
        ...{ isKmsTold: options.disableInKms === true, takeOver: options.takeOver ?? null },
        listFile: list === false ? null : (list ?? `incident-${incidentId}-messages.ndjson`),
        isQuiet: options.json === true,
      }
      const end = await runFromTerminal(config, services, settings, terminal)
      terminal.out(options.json ? renderJson(runEndJson(end)) : renderRunEnd(end))
    })
  } finally {
    stop.release()
  }
}
