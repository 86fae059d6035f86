import type { Command } from 'commander'
import type { RewrapPlace } from '../../compose/rewrap.ts'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { SealError } from '../../errors.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { areSameKek } from '../../keys/kek-name.ts'
import { type RewrapReport, rewrapAll } from '../../rewrap/job.ts'
import { planRewrap, type RewrapPace, type RewrapPlan } from '../../rewrap/plan.ts'
import type { RewrapScope } from '../../rewrap/scope.ts'
import { parseReason } from '../await-rotation.ts'
import { type KmsOptions, pricesOf, withKmsOptions } from '../cost-options.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { startProgress } from '../progress.ts'
import { renderJson } from '../render.ts'
import {
  renderRewrapFailures,
  renderRewrapPlan,
  renderRewrapReport,
  scopeName,
} from '../rewrap-text.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { waitingLines } from '../waiting-lines.ts'

interface RewrapOptions extends ConfigOption, KmsOptions {
  readonly kek: string
  readonly kekVersion?: string
  readonly to?: string
  readonly reason: string
  readonly plan?: true
  readonly json?: true
}

/** `sealstream rewrap`. */
export function registerRewrap(program: Command, terminal: Terminal): void {
  const rewrap = program
    .command('rewrap')
    .description('Wrap data keys anew under another KEK or version; no segment is touched')
    .requiredOption('--kek <id>', 'the KEK whose wraps are replaced: its ARN or bare id')
    .option('--kek-version <version>', 'only wraps of this version of it')
    .option('--to <kek>', 'the KEK that wraps instead (default: that in force for each key domain)')
    .option('--reason <text>', 'why; it stands in the events of the keys', parseReason, 'rewrap')
    .option('--plan', 'count, price and time it; change nothing and ask no KMS')
    .action((options: RewrapOptions) => answer(options, terminal))
  withKmsOptions(rewrap).option('--json', 'print JSON')
  withExamples(
    withConfigOption(rewrap),
    'sealstream rewrap --kek 1234abcd-12ab-34cd-56ef-1234567890ab --plan',
    'sealstream rewrap --kek 1234abcd-12ab-34cd-56ef-1234567890ab --reason "end of its year"',
    'sealstream rewrap --kek orders --kek-version 3 --kms-per-second 500',
  )
}

async function answer(options: RewrapOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  if ([options.kek, options.to].some((kekId) => kekId?.trim() === '')) {
    throw new SealError('SEAL_INPUT_INVALID', 'the name of a KEK is empty')
  }
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const isRun = options.plan !== true
  if (isRun) await guardKeys(config, env)
  const { withRewrap } = await import('../../compose/rewrap.ts')
  await withRewrap(config, options.kmsPerSecond, async (place) => {
    const scope = scopeOf(options, place)
    const prices = pricesOf(options)
    const pace: RewrapPace = { kmsCallsPerSecond: options.kmsPerSecond, prices }
    const plan = await planRewrap(place, scope, pace)
    refuse(scope, plan)
    const text = renderRewrapPlan(scope, plan, pace)
    const { kekId, kekVersion } = scope
    if (!isRun) {
      terminal.out(options.json ? renderJson({ kekId, kekVersion, plan }) : text)
      return
    }
    if (!options.json) terminal.err(text)
    const report = await carryOut(place, scope, plan, terminal)
    terminal.out(
      options.json
        ? renderJson({ kekId, kekVersion, plan, ...report })
        : renderRewrapReport(scope, report),
    )
    if (!options.json) terminal.err(renderRewrapFailures(report))
  })
}

function scopeOf({ kek, kekVersion, to, reason }: RewrapOptions, place: RewrapPlace): RewrapScope {
  const target = to?.trim()
  return {
    ...{ kekId: kek.trim(), kekVersion: kekVersion ?? null, actor: actorOfOperator() },
    reason: reason === 'rewrap' ? reason : `rewrap: ${reason}`,
    targetOf: target === undefined ? place.targetOf : () => target,
  }
}

function refuse(scope: RewrapScope, { deks, targets }: RewrapPlan): void {
  if (deks === 0) {
    const message = `no DEK wrapped under ${scopeName(scope)} is on record in this keyspace; see that the id is complete and that cassandra.keyspace is the one that sealed`
    throw new SealError('SEAL_KEY_UNKNOWN', message)
  }
  if (scope.kekVersion !== null) return
  const own = targets.find(({ kekId }) => areSameKek(kekId, scope.kekId))
  if (own === undefined) return
  throw new SealError(
    'SEAL_INPUT_INVALID',
    `${scopeName(scope)} is still in force for ${own.deks} of its DEKs: replace it first (sealstream rotate kek), or name --to or --kek-version`,
  )
}

async function carryOut(
  place: RewrapPlace,
  scope: RewrapScope,
  { toRewrap }: RewrapPlan,
  terminal: Terminal,
): Promise<RewrapReport> {
  const stop = stopSignal()
  const progress = startProgress('DEKs', true, toRewrap)
  try {
    const observer = waitingLines(terminal)
    const control = { signal: stop.signal, onRewrapped: () => progress.add(1), observer }
    const report = await rewrapAll(place, scope, control)
    if (report.failures.length > 0) terminal.exitCode = EXIT_CODES.failed
    else if (report.isStopped) terminal.exitCode = stoppedCode(stop.signal)
    return report
  } finally {
    progress.end()
    stop.release()
  }
}
