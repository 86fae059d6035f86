import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { armFailpoint } from '../../failpoints.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'

/** `sealstream run`. */
export function registerRun(program: Command, terminal: Terminal): void {
  const run = program
    .command('run')
    .description('Seal the configured topics until stopped; logs go to stderr')
    .action((options: ConfigOption) => run_(options, terminal))
  withExamples(
    withConfigOption(run),
    'sealstream run --config sealstream.yaml',
    'SEALSTREAM_LOG_LEVEL=debug sealstream run',
  )
}

async function run_(options: ConfigOption, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config, ...loaded } = loadConfig({ file: configFileOf(options.config, env), env })
  const failpoint = armFailpoint(env)
  const warnings = failpoint === null ? loaded.warnings : [failpoint, ...loaded.warnings]
  for (const warning of warnings) terminal.err(renderWarning(warning))
  // Loaded here, because the SDKs behind it take a second that no other command needs.
  const { sealTopics } = await import('../seal-topics.ts')
  await sealTopics(config, warnings, env)
}
