import type { Command } from 'commander'
import { systemClock } from '../../clock.ts'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { SealError } from '../../errors.ts'
import { rotationStatus } from '../../reencryption/rotation-status.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { type ConfigOption, parseAge, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { renderRotationStatus } from '../rotation-status-text.ts'
import type { Terminal } from '../terminal.ts'

interface StatusOptions extends ConfigOption {
  readonly olderThan?: number
  readonly json?: true
}

const DAY_MS = 86_400_000

/** `sealstream reencrypt status`. */
export function registerReencryptStatus(reencrypt: Command, terminal: Terminal): void {
  const status = reencrypt
    .command('status')
    .description('Count what is under old data keys by key domain: due, running and done')
    .option('--older-than <age>', 'the age (default: that of reencryption.schedule)', parseAge)
    .option('--json', 'print JSON')
    .action((options: StatusOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(status),
    'sealstream reencrypt status',
    'sealstream reencrypt status --older-than 60d --json',
  )
}

async function answer(options: StatusOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { olderThanDays } = config.reencryption.schedule
  const olderThanMs = options.olderThan ?? (olderThanDays ?? Number.NaN) * DAY_MS
  if (Number.isNaN(olderThanMs)) {
    const message = 'reencryption.schedule.olderThanDays is not set: name an age with --older-than'
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  const { withRotationStatus } = await import('../../compose/rotation-schedule.ts')
  const nowMs = systemClock.nowMs()
  const report = await withRotationStatus(config, async (sources) => ({
    ...(await rotationStatus(sources, nowMs - olderThanMs)),
    ...{ olderThanMs, nowMs, isComplete: await sources.mapping.coverAll() },
  }))
  terminal.out(options.json ? renderJson(report) : renderRotationStatus(report))
  if (!report.isComplete) terminal.exitCode = EXIT_CODES.incomplete
}
