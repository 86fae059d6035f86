import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { KeyHistory } from '../../incident/key-history.ts'
import { type ConfigOption, parseDekId, withConfigOption, withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { renderJson } from '../render.ts'
import { renderCount, renderTable, renderTime } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface ShowOptions extends ConfigOption {
  readonly json?: true
}

const NAME_WIDTH = 12

/** `sealstream keys show`. */
export function registerShow(keys: Command, terminal: Terminal): void {
  const show = keys
    .command('show')
    .description('Show the record of a data key and everything that happened to it')
    .argument('<dek>', 'id of the data key', parseDekId)
    .option('--json', 'print JSON')
    .action((dekId: string, options: ShowOptions) => answer(dekId, options, terminal))
  withExamples(
    withConfigOption(show),
    'sealstream keys show 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11',
    'sealstream keys show 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11 --json',
  )
}

async function answer(dekId: string, options: ShowOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { withKeys } = await import('../../compose/key-office.ts')
  const { historyOf } = await import('../../incident/key-history.ts')
  const history = await withKeys(config, (services) => historyOf(services, dekId))
  terminal.out(options.json ? renderJson(history) : renderHistory(history))
}

/** The record as a name and a value a line, then a line an event. */
export function renderHistory(history: KeyHistory): string {
  const { dek, events, segments } = history
  const rows = [
    ['DEK', dek.dekId],
    ['key domain', dek.keyDomain],
    ['KEK', dek.kekId],
    ['KEK version', dek.kekVersion ?? '-'],
    ['created', renderTime(dek.createdAtMs)],
    ['state', stateOf(history)],
    ['segments', `${renderCount(segments.count)}, the last opened ${lastOpened(history)}`],
    ['messages', renderCount(segments.messages)],
    ['bytes', renderCount(segments.bytes)],
  ].map(([name = '', value = '']) => `${name.padEnd(NAME_WIDTH)}${printable(value)}`)
  const head = ['TIME', 'EVENT', 'ACTOR', 'REASON']
  const table = events.map(({ atMs, kind, actor, reason, kekId, kekVersion }) => {
    const kek = kekId === null ? '' : ` (KEK ${kekId}, version ${kekVersion ?? '-'})`
    return [renderTime(atMs), kind, actor, reason + kek]
  })
  return `${rows.join('\n')}\n\n${renderTable(head, table)}`
}

function lastOpened({ segments }: KeyHistory): string {
  return segments.lastOpenedAtMs === null ? 'never' : renderTime(segments.lastOpenedAtMs)
}

/** What holds of the DEK now; the gravest first. */
function stateOf({ events, inUseBy }: KeyHistory): string {
  const has = (kind: string) => events.some((event) => event.kind === kind)
  const marks = has('compromised') ? 'compromised, ' : ''
  if (has('shredded')) return `${marks}shredded`
  if (inUseBy.length > 0) return `${marks}in use by ${inUseBy.join(', ')}`
  if (has('retired')) return `${marks}retired`
  return `${marks}not in use, and nothing tells of its end: made ahead, just turned, or its process died`
}
