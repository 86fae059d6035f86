import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { InstanceKeys } from '../../keys/key-desk.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { renderJson } from '../render.ts'
import { renderCount, renderTable, renderTime } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface ListOptions extends ConfigOption {
  readonly domain?: string
  readonly json?: true
}

/** `sealstream keys list`. */
export function registerList(keys: Command, terminal: Terminal): void {
  const list = keys
    .command('list')
    .description('List the data keys in use now, by running instance; some seconds old')
    .option('--domain <name>', 'only those of this key domain')
    .option('--json', 'print JSON')
    .action((options: ListOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(list),
    'sealstream keys list',
    'sealstream keys list --domain orders --json',
  )
}

async function answer({ domain, json, config: file }: ListOptions, terminal: Terminal) {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(file, env), env })
  const { withKeys } = await import('../../compose/key-office.ts')
  const running = await withKeys(config, ({ office }) => office.keysInUse())
  const instances = running
    .filter(({ state }) => state === 'running')
    .map((instance) => ({
      ...instance,
      keys: instance.keys.filter(({ keyDomain }) => domain === undefined || keyDomain === domain),
    }))
  terminal.out(json ? renderJson({ instances }) : renderInstances(instances))
}

/** A line a DEK; an instance that uses none has one too, to be seen. */
export function renderInstances(instances: readonly InstanceKeys[]): string {
  if (instances.length === 0) return 'no instance is running\n'
  const head = ['INSTANCE', 'GROUP', 'KEY DOMAIN', 'DEK', 'SINCE', 'MESSAGES', 'BYTES']
  const rows = instances.flatMap(({ instanceId, groupId, keys }) =>
    keys.length === 0
      ? [[instanceId, groupId, '-', '-', '-', '-', '-']]
      : keys.map(({ keyDomain, dekId, since, messages, bytes }) => [
          ...[instanceId, groupId, keyDomain, dekId, renderTime(since)],
          ...[renderCount(messages), renderCount(bytes)],
        ]),
  )
  return renderTable(head, rows, ['MESSAGES', 'BYTES'])
}
