import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import type { KekServices } from '../../compose/kek-rotation.ts'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { SealError } from '../../errors.ts'
import { checkedOrder, placingOf } from '../../keys/give-kek-order.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import {
  type AwaitOptions,
  awaitRotation,
  domainOf,
  parseReason,
  withAwaitOptions,
} from '../await-rotation.ts'
import { guardKeys } from '../guard-keys.ts'
import { orderWords, warningsOf } from '../kek-order-text.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { rotateVersion } from './rotate-version.ts'

/** What `sealstream rotate kek` is told. */
export interface RotateKekOptions extends ConfigOption, AwaitOptions {
  readonly to?: string
  readonly from?: string
  readonly domain?: string
  readonly contain?: true
  readonly newVersion?: true
  readonly asConfigured?: true
}

/** `sealstream rotate kek`. */
export function registerRotateKek(rotate: Command, terminal: Terminal): void {
  const kek = rotate
    .command('kek')
    .description('Make new data keys under another KEK, in every running and every later instance')
    .requiredOption('--reason <text>', 'why; it stands in the order for good', parseReason)
    .option('--to <kek>', 'the KEK of new data keys from now on')
    .option('--from <kek>', 'only for key domains that have this KEK now')
    .option('--domain <name>', 'only for this key domain')
    .option('--contain', 'end the use of the KEK of before also where the new one does not wrap')
    .option('--new-version', 'the KMS has a new version of the KEK in force: use it at once')
    .option('--as-configured', 'withdraw orders: the KEKs of the configuration are in force again')
    .action((options: RotateKekOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(withAwaitOptions(kek)),
    'sealstream rotate kek --to 1234abcd-12ab-34cd-56ef-1234567890ab --reason yearly',
    'sealstream rotate kek --from OLD --to NEW --contain --reason "rights on OLD leaked"',
    'sealstream rotate kek --new-version --reason "version 3 leaked"',
    'sealstream rotate kek --as-configured --domain orders --reason "configuration has it now"',
  )
}

async function answer(options: RotateKekOptions, terminal: Terminal): Promise<void> {
  refuseMixture(options)
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  // A data key is asked for, to see that the KEK wraps.
  await guardKeys(config, env)
  const { withKeks } = await import('../../compose/kek-rotation.ts')
  await withKeks(config, async (services) => {
    if (options.newVersion) await rotateVersion(services, options, terminal)
    else await giveOrder(services, config, options, terminal)
  })
}

function refuseMixture({ to, newVersion, asConfigured, from, contain }: RotateKekOptions): void {
  const ways = [to !== undefined, newVersion === true, asConfigured === true]
  if (ways.filter(Boolean).length !== 1) {
    const message = 'name one of --to <kek>, --new-version and --as-configured'
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  if (to === undefined && (from !== undefined || contain)) {
    throw new SealError('SEAL_INPUT_INVALID', '--from and --contain go with --to')
  }
  if ([to, from].some((kekId) => kekId?.trim() === '')) {
    throw new SealError('SEAL_INPUT_INVALID', 'the name of a KEK is empty')
  }
}

async function giveOrder(
  services: KekServices,
  config: Config,
  options: RotateKekOptions,
  terminal: Terminal,
): Promise<void> {
  const order = await checkedOrder(services, {
    ...{ orderId: randomUUID(), placedAtMs: services.clock.nowMs(), actor: actorOfOperator() },
    ...{ reason: options.reason, keyDomain: domainOf(options.domain) },
    ...{ fromKekId: options.from?.trim() ?? null, toKekId: options.to?.trim() ?? null },
    isContained: options.contain === true,
  })
  for (const warning of warningsOf(order, config, services.allowedKekIds)) {
    terminal.err(renderWarning(warning))
  }
  const placing = placingOf(services, order)
  await awaitRotation(placing.services, placing.request, options, terminal, orderWords(order))
}
