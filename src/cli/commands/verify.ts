import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { SealError } from '../../errors.ts'
import type { Verification } from '../../verify/verify.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { type ConfigOption, parseLimit, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { stepProgress } from '../step-progress.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { renderVerification } from '../verification-text.ts'

interface VerifyOptions extends ConfigOption {
  readonly open: boolean
  readonly limit: number
  readonly json?: true
}

const FINDINGS_MAX = 20

/** `sealstream verify`. */
export function registerVerify(program: Command, terminal: Terminal): void {
  const verify = program
    .command('verify')
    .description('Prove that every message was sealed exactly once, or say what is wrong and where')
    .argument('[topic...]', 'source topics (default: all of the configuration)')
    .option('--no-open', 'do not read and open frames; asks no KMS')
    .option(
      '--limit <count>',
      'findings to print of each kind; all are counted',
      parseLimit,
      FINDINGS_MAX,
    )
    .option('--json', 'print JSON')
    .action((topics: string[], options: VerifyOptions) => answer(topics, options, terminal))
  withExamples(
    withConfigOption(verify),
    'sealstream verify',
    'sealstream verify orders payments --no-open',
    'sealstream verify --json --limit 1000 > verification.json',
  )
}

async function answer(
  topics: readonly string[],
  options: VerifyOptions,
  terminal: Terminal,
): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { open: isOpened, limit: findingsMax } = options
  const unknown = topics.filter((topic) => !config.kafka.topics.includes(topic))
  if (unknown.length > 0) {
    const known = config.kafka.topics.join(', ')
    const message = `${unknown.join(', ')}: no source topic of the configuration, which has ${known}`
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  if (isOpened) await guardKeys(config, env)
  const { verifyPlace } = await import('../../compose/verification.ts')
  const stop = stopSignal()
  const progress = stepProgress()
  try {
    const request = { topics, isOpened, findingsMax }
    const verification = await verifyPlace(config, request, progress, stop.signal)
    progress.end()
    terminal.out(
      options.json ? renderJson(verification) : renderVerification(verification, isOpened),
    )
    terminal.exitCode = exitCodeOf(verification, stop.signal)
  } finally {
    progress.end()
    stop.release()
  }
}

/** What is wrong outweighs that it was stopped: it stays wrong. */
function exitCodeOf({ isConsistent, isComplete }: Verification, stop: AbortSignal): number {
  if (!isConsistent) return EXIT_CODES.inconsistent
  if (isComplete) return EXIT_CODES.ok
  return stoppedCode(stop)
}
