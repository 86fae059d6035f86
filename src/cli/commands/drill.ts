import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { armFailpoint } from '../../failpoints.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { type DrillReport, drill } from '../../response/drill.ts'
import { renderDrill, renderStanding } from '../drill-text.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { type PaceOptions, paceOf, withPaceOptions } from '../incident-options.ts'
import { runFromTerminal } from '../incident-run.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

interface DrillOptions extends ConfigOption, PaceOptions {
  readonly json?: true
}

/** Canary messages have to get through beside everything else; segments close by age. */
const SEALED_WITHIN_MS = 120_000

/** `sealstream drill`. */
export function registerDrill(program: Command, terminal: Terminal): void {
  const drilling = program
    .command('drill')
    .description(
      'A whole incident on the canary topic, timed, with readers at work; or its standing',
    )
    .helpCommand(false)
  const run = drilling
    .command('run', { isDefault: true })
    .description('Make a drill now')
    .option('--json', 'print JSON')
    .action((options: DrillOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(withPaceOptions(run)),
    'sealstream drill',
    'sealstream drill --json',
  )
  const status = drilling
    .command('status')
    .description('Tell when a drill passed last, and whether the next is overdue')
    .option('--json', 'print JSON')
    .action((options: ConfigOption & { readonly json?: true }) => standing(options, terminal))
  withExamples(
    withConfigOption(status),
    'sealstream drill status',
    'sealstream drill status --json',
  )
  withExamples(drilling, 'sealstream drill', 'sealstream drill status')
}

async function answer(options: DrillOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const armed = armFailpoint(env)
  if (armed !== null) terminal.err(`sealstream: ${armed}\n`)
  const stop = stopSignal()
  try {
    const report = await carryOut(config, options, stop, terminal)
    terminal.out(options.json ? renderJson(report) : renderDrill(report))
    terminal.exitCode = report.isPassed ? EXIT_CODES.ok : EXIT_CODES.failed
    if (stop.signal.aborted) terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    stop.release()
  }
}

async function carryOut(
  config: Config,
  options: DrillOptions,
  stop: ReturnType<typeof stopSignal>,
  terminal: Terminal,
): Promise<DrillReport> {
  const { canaryOf, drillSectionOf, withDrill } = await import('../../compose/drill.ts')
  const section = drillSectionOf(config)
  const isQuiet = options.json === true
  return withDrill(config, (ports, services) => {
    const run = (incidentId: string) => {
      const settings = {
        ...{ incidentId, pace: paceOf(options), dead: new Set<string>(), stop, isQuiet },
        ...{ isKmsTold: false, takeOver: null, listFile: null },
      }
      return runFromTerminal(config, services, settings, terminal)
    }
    const onPhase = (phase: string) => {
      if (!isQuiet) terminal.err(`sealstream: ${phase}\n`)
    }
    const { messages, messageBytes } = section
    return drill(
      { ...ports, run, onPhase },
      {
        ...{ ...canaryOf(section), messages, messageBytes, sealedWithinMs: SEALED_WITHIN_MS },
        ...{ actor: actorOfOperator(), signal: stop.signal },
      },
    )
  })
}

async function standing(
  { config: file, json }: ConfigOption & { readonly json?: true },
  terminal: Terminal,
): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(file, env), env })
  const { drillSectionOf } = await import('../../compose/drill.ts')
  drillSectionOf(config)
  const { incidentStandingOf } = await import('../../compose/incident-watch.ts')
  const found = await incidentStandingOf(config)
  terminal.out(json ? renderJson(found) : renderStanding(found))
  if (found.isDrillOverdue) terminal.exitCode = EXIT_CODES.overdue
}
