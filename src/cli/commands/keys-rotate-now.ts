import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import { newRequest } from '../../keys/rotation.ts'
import {
  type AwaitOptions,
  awaitRotation,
  domainOf,
  parseReason,
  withAwaitOptions,
} from '../await-rotation.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'

interface RotateOptions extends ConfigOption, AwaitOptions {
  readonly domain?: string
}

/** `sealstream keys rotate-now`. */
export function registerRotateNow(keys: Command, terminal: Terminal): void {
  const rotateNow = keys
    .command('rotate-now')
    .description(
      'End the windows of every running instance now, and tell when their keys were used last',
    )
    .requiredOption('--reason <text>', 'why; it stands in the events of the keys', parseReason)
    .option('--domain <name>', 'only the windows of this key domain')
    .action((options: RotateOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(withAwaitOptions(rotateNow)),
    'sealstream keys rotate-now --reason "laptop of an operator lost"',
    'sealstream keys rotate-now --domain orders --reason drill --json',
  )
}

async function answer(options: RotateOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { reason } = options
  const scope = { dekId: null, keyDomain: domainOf(options.domain) }
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { withKeys } = await import('../../compose/key-office.ts')
  await withKeys(config, async (services) => {
    const asked = { actor: actorOfOperator(), reason, scope }
    const request = newRequest(asked, services.clock.nowMs())
    await awaitRotation(services, request, options, terminal)
  })
}
