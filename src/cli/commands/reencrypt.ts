import { availableParallelism } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../../clock.ts'
import type { ReencryptionUse } from '../../compose/reencryption.ts'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { readBytes } from '../../config/quantity.ts'
import type { Config } from '../../config/schema.ts'
import { SealError } from '../../errors.ts'
import { armFailpoint } from '../../failpoints.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { forecastOf, type ReencryptionPace } from '../../reencryption/forecast.ts'
import { type JobOutcome, reencryptAll } from '../../reencryption/job.ts'
import {
  itemsInScope,
  leftKekOf,
  planReencryption,
  type ReencryptionPlan,
  type ReencryptionScope,
} from '../../reencryption/plan.ts'
import { KMS_CALLS_PER_SECOND } from '../../service-costs.ts'
import {
  type KmsOptions,
  pricesOf,
  type S3PriceOptions,
  withKmsOptions,
  withS3Prices,
} from '../cost-options.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { startProgress } from '../progress.ts'
import { type ScopeOptions, scopeOf, withScopeOptions } from '../reencryption-scope.ts'
import { renderReencryption, renderReencryptionJson } from '../reencryption-text.ts'
import { share } from '../share-reencryption.ts'
import { type StopSignal, stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { sayingTo } from '../waiting-lines.ts'
import { registerReencryptStatus } from './reencrypt-status.ts'

interface ReencryptOptions extends ConfigOption, ScopeOptions, KmsOptions, S3PriceOptions {
  readonly yes?: true
  readonly share?: true
  readonly bytesPerSecond?: number
  readonly segmentsAtOnce: number
  readonly threads: number
  readonly json?: true
}

const SEGMENTS_AT_ONCE = 8

/** `sealstream reencrypt`. */
export function registerReencrypt(program: Command, terminal: Terminal): void {
  const reencrypt = withScopeOptions(
    program
      .command('reencrypt')
      .description('Bring what a key protects under new data keys, in place; do it with --yes'),
  )
    .option('--yes', 'do it; without this the plan is printed and nothing is changed')
    .option(
      '--share',
      'let the running encryptors do it, with the share that each is configured for',
    )
    .option('--bytes-per-second <size>', 'the most that is worked on, e.g. 50MiB', parseBytes)
    .option(
      '--segments-at-once <count>',
      'segments that are worked on at a time',
      parseCount,
      SEGMENTS_AT_ONCE,
    )
    .option('--threads <count>', 'threads that seal; 0 is one per core', parseThreads, 0)
    .enablePositionalOptions()
    .helpCommand(false)
    .action((options: ReencryptOptions) => answer(options, terminal))
  withS3Prices(withKmsOptions(reencrypt)).option('--json', 'print JSON')
  withExamples(
    withConfigOption(reencrypt),
    'sealstream reencrypt --dek 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11',
    'sealstream reencrypt --kek 1234abcd-12ab-34cd-56ef-1234567890ab --yes',
    'sealstream reencrypt --topic orders --older-than 30d',
    'sealstream reencrypt --older-than 90d --yes --bytes-per-second 20MiB',
    'sealstream reencrypt --older-than 90d --yes --share',
    'sealstream reencrypt status',
  )
  registerReencryptStatus(reencrypt, terminal)
}

async function answer(options: ReencryptOptions, terminal: Terminal): Promise<void> {
  const scope = scopeOf(options, systemClock.nowMs())
  refuseTunedShare(options)
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const armed = armFailpoint(env)
  if (armed !== null) terminal.err(`sealstream: ${armed}\n`)
  const stop = stopSignal()
  try {
    const startedAtMs = performance.now()
    if (options.yes && options.share) {
      await share(config, scope, { terminal, stop, isJson: options.json ?? false })
      return
    }
    const { plan, outcome } = options.yes
      ? await carryOut(config, scope, options, stop, terminal)
      : { plan: await planOnly(config, scope), outcome: null }
    const forecast = forecastOf(plan, paceOf(config, options))
    const report = { plan, forecast, outcome, elapsedMs: performance.now() - startedAtMs }
    terminal.out(options.json ? renderReencryptionJson(report) : renderReencryption(report))
    terminal.exitCode = exitCodeFor(plan, outcome, stop)
  } finally {
    stop.release()
  }
}

async function planOnly(config: Config, scope: ReencryptionScope): Promise<ReencryptionPlan> {
  const { withPlanSources } = await import('../../compose/reencryption.ts')
  return withPlanSources(config, ({ sources }) =>
    planReencryption(sources, scope, systemClock.nowMs()),
  )
}

/** By the options, or by the section of the encryptors whose work it is to be. */
function paceOf(config: Config, options: ReencryptOptions): ReencryptionPace {
  const { share: isShared, bytesPerSecond = Number.POSITIVE_INFINITY } = options
  const threads = options.threads === 0 ? availableParallelism() : options.threads
  const kmsCallsPerSecond = options.kmsPerSecond
  const own = { bytesPerSecond, kmsCallsPerSecond, threads }
  return {
    ...(isShared ? config.reencryption : own),
    ...{ partBytes: config.part.bytesMax, window: config.window, prices: pricesOf(options) },
  }
}

async function carryOut(
  config: Config,
  scope: ReencryptionScope,
  options: ReencryptOptions,
  stop: StopSignal,
  terminal: Terminal,
): Promise<{ plan: ReencryptionPlan; outcome: JobOutcome }> {
  const { withReencryption } = await import('../../compose/reencryption.ts')
  const { signal } = stop
  const use: ReencryptionUse = {
    ...{ actor: actorOfOperator(), threads: options.threads, signal },
    bytesPerSecond: options.bytesPerSecond ?? Number.POSITIVE_INFINITY,
    kmsCallsPerSecond: options.kmsPerSecond,
    observer: sayingTo(terminal),
    leaving: leftKekOf(scope),
    liveFirst: null,
  }
  return withReencryption(config, use, async ({ services, sources }) => {
    const plan = await planReencryption(sources, scope, systemClock.nowMs())
    const progress = startProgress('bytes', true, plan.bytes)
    try {
      const items = itemsInScope(sources, scope, systemClock.nowMs())
      const outcome = await reencryptAll(services, items, {
        ...{ atOnce: options.segmentsAtOnce, signal },
        onDone: (_item, { bytes }) => progress.add(bytes),
      })
      return { plan, outcome }
    } finally {
      progress.end()
    }
  })
}

function refuseTunedShare(options: ReencryptOptions): void {
  const { share: isShared, threads, segmentsAtOnce, bytesPerSecond, kmsPerSecond } = options
  const isTuned =
    threads !== 0 ||
    segmentsAtOnce !== SEGMENTS_AT_ONCE ||
    bytesPerSecond !== undefined ||
    kmsPerSecond !== KMS_CALLS_PER_SECOND
  if (!isShared || !isTuned) return
  const message = '--share goes by the section reencryption of each encryptor, not by options'
  throw new SealError('SEAL_INPUT_INVALID', message)
}

/** What was left behind is no success: a person must look at it. */
function exitCodeFor(
  { isComplete }: ReencryptionPlan,
  outcome: JobOutcome | null,
  { signal }: StopSignal,
): number {
  if (outcome?.isStopped) return stoppedCode(signal)
  if ((outcome?.failures.length ?? 0) > 0) return EXIT_CODES.failed
  return isComplete ? EXIT_CODES.ok : EXIT_CODES.incomplete
}

function parseBytes(text: string): number {
  const bytes = readBytes(text)
  if (typeof bytes !== 'number') throw new InvalidArgumentError(bytes.refused)
  if (bytes > 0) return bytes
  throw new InvalidArgumentError('more than 0')
}

function parseCount(text: string): number {
  const count = parseThreads(text)
  if (count > 0) return count
  throw new InvalidArgumentError('a whole number from 1 on')
}

function parseThreads(text: string): number {
  const count = Number(text)
  if (/^\d{1,4}$/.test(text)) return count
  throw new InvalidArgumentError('a whole number from 0 on')
}
