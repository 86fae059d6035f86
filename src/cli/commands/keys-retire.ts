import type { Command } from 'commander'
import type { KeyServices } from '../../compose/key-office.ts'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { historyOf } from '../../incident/key-history.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import type { KeyEvent } from '../../keys/key-events.ts'
import { newRequest, type RotationReport } from '../../keys/rotation.ts'
import {
  type AwaitOptions,
  awaitRotation,
  isComplete,
  parseReason,
  withAwaitOptions,
} from '../await-rotation.ts'
import { type ConfigOption, parseDekId, withConfigOption, withExamples } from '../options.ts'
import { renderTime } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface RetireOptions extends ConfigOption, AwaitOptions {}

/** `sealstream keys retire`. */
export function registerRetire(keys: Command, terminal: Terminal): void {
  const retire = keys
    .command('retire')
    .description('See that no instance seals anything more under one data key')
    .argument('<dek>', 'id of the data key', parseDekId)
    .requiredOption('--reason <text>', 'why; it stands in the events of the key', parseReason)
    .action((dekId: string, options: RetireOptions) => answer(dekId, options, terminal))
  withExamples(
    withConfigOption(withAwaitOptions(retire)),
    'sealstream keys retire 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11 --reason "seen in a heap dump"',
    'sealstream keys retire 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11 --reason drill --json',
  )
}

async function answer(dekId: string, options: RetireOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { withKeys } = await import('../../compose/key-office.ts')
  await withKeys(config, async (services) => {
    const { dek, events } = await historyOf(services, dekId)
    const scope = { dekId: dek.dekId, keyDomain: dek.keyDomain }
    const asked = { actor: actorOfOperator(), reason: options.reason, scope }
    const request = newRequest(asked, services.clock.nowMs())
    const report = await awaitRotation(services, request, options, terminal)
    const before = events.find(({ kind }) => kind === 'retired')
    if (before === undefined) await noteUnheld(services, report, dek.dekId)
    else if (!options.json) {
      terminal.err(`it was retired before, ${renderTime(before.atMs)}: ${before.reason}\n`)
    }
  })
}

/** Nobody else tells of the end of a DEK whose process died: then the operator does. */
async function noteUnheld(
  { events, clock }: KeyServices,
  report: RotationReport,
  dekId: string,
): Promise<void> {
  const isHeld = report.instances.some(({ retired }) => retired.some((key) => key.dekId === dekId))
  if (isHeld || !isComplete(report)) return
  // Its window may have ended by itself meanwhile.
  for await (const { kind } of events.eventsOf(dekId)) if (kind === 'retired') return
  const { actor, reason } = report.request
  const event: KeyEvent = {
    ...{ dekId, kind: 'retired', atMs: clock.nowMs(), actor },
    ...{ reason: `retire: ${reason} (no running instance held it)`, kekId: null, kekVersion: null },
  }
  await events.append([event])
}
