import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { areSameKek } from '../../keys/kek-name.ts'
import {
  type ConfiguredKeks,
  type KekInForce,
  type KekOrder,
  kekInForce,
  keksInForce,
} from '../../keys/kek-orders.ts'
import type { InstanceKeys } from '../../keys/key-desk.ts'
import type { KeyInUse } from '../../keys/running-keys.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { renderTable, renderTime } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface StatusOptions extends ConfigOption {
  readonly json?: true
}

/** What is in force, and what is in use. */
export interface KekStatus {
  /** By key domain; null stands for all that nobody names. */
  readonly inForce: ReadonlyMap<string | null, KekInForce>
  readonly orders: readonly KekOrder[]
  readonly inUse: readonly {
    readonly instanceId: string
    readonly key: KeyInUse
    /** Whether the DEK is under the KEK in force. */
    readonly isInForce: boolean
  }[]
}

/** `sealstream rotate status`. */
export function registerRotateStatus(rotate: Command, terminal: Terminal): void {
  const status = rotate
    .command('status')
    .description('Show the KEK in force, the orders that say so, and the KEKs in use; asks no KMS')
    .option('--json', 'print JSON')
    .action((options: StatusOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(status),
    'sealstream rotate status',
    'sealstream rotate status --json',
  )
}

async function answer({ json, config: file }: StatusOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(file, env), env })
  const { withKeks } = await import('../../compose/kek-rotation.ts')
  const status = await withKeks(config, async ({ orders, office, configured }) =>
    kekStatusOf(configured, await orders.orders(0), await office.keysInUse()),
  )
  terminal.out(json ? renderJson(statusJson(status)) : renderStatus(status))
  if (status.inUse.some(({ isInForce }) => !isInForce)) terminal.exitCode = EXIT_CODES.unanswered
}

/** The status as configuration, orders and instances tell it. */
export function kekStatusOf(
  configured: ConfiguredKeks,
  orders: readonly KekOrder[],
  instances: readonly InstanceKeys[],
): KekStatus {
  const inUse = instances.flatMap(({ instanceId, keys }) =>
    keys.map((key) => {
      const { kekId } = kekInForce(configured, orders, key.keyDomain)
      const isInForce = areSameKek(kekId, key.kekId)
      return { instanceId, key, isInForce }
    }),
  )
  return { inForce: keksInForce(configured, orders), orders, inUse }
}

function statusJson({ inForce, orders, inUse }: KekStatus) {
  const byDomain = [...inForce].map(([keyDomain, { kekId, order }]) => ({
    ...{ keyDomain, kekId, order: order?.sequence ?? null },
  }))
  return { inForce: byDomain, orders, inUse }
}

/** Three tables; the last two where there is something in them. */
export function renderStatus({ inForce, orders, inUse }: KekStatus): string {
  const force = renderTable(
    ['KEY DOMAIN', 'KEK IN FORCE', 'BY'],
    [...inForce].map(([keyDomain, { kekId, order }]) => [
      keyDomain ?? (inForce.size === 1 ? 'all' : 'all others'),
      ...[kekId, order === null ? 'the configuration' : `order ${order.sequence}`],
    ]),
  )
  const given = renderTable(
    ['ORDER', 'GIVEN', 'BY', 'KEY DOMAIN', 'FROM', 'TO', 'REASON'],
    orders.map(({ sequence, placedAtMs, actor, keyDomain, fromKekId, toKekId, ...order }) => [
      ...[String(sequence), renderTime(placedAtMs), actor, keyDomain ?? 'all', fromKekId ?? 'any'],
      `${toKekId ?? 'the configuration'}${order.isContained ? ' (contain)' : ''}`,
      order.reason,
    ]),
  )
  const used = renderTable(
    ['INSTANCE', 'KEY DOMAIN', 'KEK IN USE', 'VERSION', 'SINCE', ''],
    inUse.map(({ instanceId, key, isInForce }) => [
      ...[instanceId, key.keyDomain, key.kekId, key.kekVersion ?? '-', renderTime(key.since)],
      isInForce ? '' : 'NOT THE ONE IN FORCE',
    ]),
  )
  const tables = [force, ...(orders.length > 0 ? [given] : []), ...(inUse.length > 0 ? [used] : [])]
  return tables.join('\n')
}
