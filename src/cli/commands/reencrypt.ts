import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../../clock.ts'
import type { ReencryptionUse } from '../../compose/reencryption.ts'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { readBytes } from '../../config/quantity.ts'
import type { Config } from '../../config/schema.ts'
import { SealError } from '../../errors.ts'
import { armFailpoint } from '../../failpoints.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { type JobOutcome, reencryptAll } from '../../reencryption/job.ts'
import {
  itemsInScope,
  leftKekOf,
  planReencryption,
  type ReencryptionPlan,
  type ReencryptionScope,
} from '../../reencryption/plan.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import {
  type ConfigOption,
  parseAge,
  parseDekId,
  withConfigOption,
  withExamples,
} from '../options.ts'
import { startProgress } from '../progress.ts'
import { renderReencryption, renderReencryptionJson } from '../reencryption-text.ts'
import { share } from '../share-reencryption.ts'
import { type StopSignal, stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { sayingTo } from '../waiting-lines.ts'

interface ReencryptOptions extends ConfigOption {
  readonly dek?: string
  readonly kek?: string
  readonly kekVersion?: string
  readonly olderThan?: number
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
  const reencrypt = program
    .command('reencrypt')
    .description('Bring what a key protects under new data keys, in place; do it with --yes')
    .option('--dek <id>', 'all segments under this data key', parseDekId)
    .option('--kek <id>', 'all under data keys that this KEK ever wrapped: its ARN or bare id')
    .option('--kek-version <version>', 'only what this version of the KEK wrapped')
    .option('--older-than <age>', 'all under data keys that are older than this', parseAge)
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
    .option('--json', 'print JSON')
    .action((options: ReencryptOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(reencrypt),
    'sealstream reencrypt --dek 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11',
    'sealstream reencrypt --kek 1234abcd-12ab-34cd-56ef-1234567890ab --yes',
    'sealstream reencrypt --older-than 90d --yes --bytes-per-second 20MiB',
    'sealstream reencrypt --older-than 90d --yes --share',
  )
}

async function answer(options: ReencryptOptions, terminal: Terminal): Promise<void> {
  const scope = scopeOf(options, systemClock.nowMs())
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
    const report = { plan, outcome, elapsedMs: performance.now() - startedAtMs }
    terminal.out(options.json ? renderReencryptionJson(report) : renderReencryption(report))
    terminal.exitCode = exitCodeFor(outcome, stop)
  } finally {
    stop.release()
  }
}

async function planOnly(config: Config, scope: ReencryptionScope): Promise<ReencryptionPlan> {
  const { withPlanSources } = await import('../../compose/reencryption.ts')
  return withPlanSources(config, (sources) => planReencryption(sources, scope, systemClock.nowMs()))
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
    observer: sayingTo(terminal),
    leaving: leftKekOf(scope),
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

function scopeOf(options: ReencryptOptions, nowMs: number): ReencryptionScope {
  const { dek, kek, kekVersion, olderThan } = options
  const named = [dek, kek, olderThan].filter((one) => one !== undefined)
  if (named.length !== 1) {
    const message = 'name what is to be re-encrypted: --dek <id>, --kek <id> or --older-than <age>'
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  const { share: isShared, threads, segmentsAtOnce, bytesPerSecond } = options
  const isTuned =
    threads !== 0 || segmentsAtOnce !== SEGMENTS_AT_ONCE || bytesPerSecond !== undefined
  if (isShared && isTuned) {
    const message = '--share goes by the section reencryption of each encryptor, not by options'
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  if (kekVersion !== undefined && kek === undefined) {
    throw new SealError('SEAL_INPUT_INVALID', '--kek-version goes with --kek')
  }
  if (dek !== undefined) return { dekId: dek }
  if (olderThan !== undefined) return { madeBeforeMs: nowMs - olderThan }
  if (kek?.trim() === '') throw new SealError('SEAL_INPUT_INVALID', '--kek is empty')
  return { kekId: kek as string, ...(kekVersion === undefined ? {} : { kekVersion }) }
}

/** What was left behind is no success: a person must look at it. */
function exitCodeFor(outcome: JobOutcome | null, { signal }: StopSignal): number {
  if (outcome?.isStopped) return stoppedCode(signal)
  return (outcome?.failures.length ?? 0) > 0 ? EXIT_CODES.failed : EXIT_CODES.ok
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
