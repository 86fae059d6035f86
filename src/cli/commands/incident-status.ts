import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { incidentOf, kekNameOf, timesOf } from '../../response/incident.ts'
import type { IncidentLog } from '../../response/incident-log.ts'
import { openIncidentId, recentIncidents } from '../../response/open-incidents.ts'
import { durationText } from '../../response/report-values.ts'
import { incidentJson, renderIncident, stateOf } from '../incident-text.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { renderTable, renderTime } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface JsonOption extends ConfigOption {
  readonly json?: true
}

interface ReportOptions extends JsonOption {
  readonly out: string
  readonly templates?: string
}

/** `sealstream incident status`. */
export function registerIncidentStatus(incident: Command, terminal: Terminal): void {
  const status = incident
    .command('status')
    .description('Show how the steps of an incident stand, and what each took')
    .argument('[id]', 'the incident (default: the one that is open)')
    .option('--json', 'print JSON')
    .action(async (id: string | undefined, { json, config: file }: JsonOption) => {
      const found = await withLog(file, terminal, async (log) => {
        const incidentId = id?.trim() ?? (await openIncidentId(log))
        return incidentOf(incidentId, await log.events(incidentId))
      })
      terminal.out(json ? renderJson(incidentJson(found)) : renderIncident(found))
    })
  withExamples(
    withConfigOption(status),
    'sealstream incident status',
    'sealstream incident status 2026-01-02-3f9a2c --json',
  )
}

/** `sealstream incident list`. */
export function registerList(incident: Command, terminal: Terminal): void {
  const list = incident
    .command('list')
    .description('List incidents and drills, the newest first')
    .option('--json', 'print JSON, one object a line')
    .action(async ({ json, config: file }: JsonOption) => {
      const found = await withLog(file, terminal, (log) => recentIncidents(log))
      terminal.out(
        json
          ? found.map((one) => renderJson(incidentJson(one))).join('')
          : renderTable(
              ['INCIDENT', 'KIND', 'DECLARED', 'KEK', 'STATE', 'CLEAN AFTER'],
              found.map((one) => [
                ...[one.declaration.incidentId, one.declaration.kind],
                ...[renderTime(one.declaration.declaredAtMs), kekNameOf(one.declaration)],
                ...[stateOf(one), durationText(timesOf(one).cleanMs)],
              ]),
            ),
      )
    })
  withExamples(
    withConfigOption(list),
    'sealstream incident list',
    'sealstream incident list --json',
  )
}

/** `sealstream incident report`. */
export function registerIncidentReport(incident: Command, terminal: Terminal): void {
  const report = incident
    .command('report')
    .description('Write the papers of an incident: review, notices, and all of its events')
    .argument('<id>', 'the incident')
    .requiredOption('--out <dir>', 'folder for the papers; made where there is none')
    .option('--templates <dir>', 'your own templates (default: those of docs/runbooks)')
    .option('--json', 'print JSON')
    .action(async (id: string, options: ReportOptions) => {
      const { writeReport } = await import('../../compose/incident-report.ts')
      const found = await withLog(options.config, terminal, async (log) =>
        incidentOf(id.trim(), await log.events(id.trim())),
      )
      const files = await writeReport(found, options.out, options.templates ?? null)
      terminal.out(options.json ? renderJson({ files }) : `${files.join('\n')}\n`)
    })
  withExamples(
    withConfigOption(report),
    'sealstream incident report 2026-01-02-3f9a2c --out papers',
    'sealstream incident report 2026-01-02-3f9a2c --out papers --templates our-runbooks',
  )
}

async function withLog<T>(
  file: string | undefined,
  { env }: Terminal,
  work: (log: IncidentLog) => Promise<T>,
): Promise<T> {
  const { config } = loadConfig({ file: configFileOf(file, env), env })
  const { withIncidentLog } = await import('../../compose/incident.ts')
  return withIncidentLog(config, work)
}
