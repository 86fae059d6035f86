import { once } from 'node:events'
import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { SealError } from '../../errors.ts'
import {
  type ImpactScope,
  type ImpactSummary,
  impactMessages,
  impactOf,
} from '../../incident/impact.ts'
import type { MappingReader } from '../../mapping/mapping-store.ts'
import { type ConfigOption, parseDekId, withConfigOption, withExamples } from '../options.ts'
import { startProgress } from '../progress.ts'
import { answerProof } from '../prove-impact.ts'
import { renderJson } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface ImpactOptions extends ConfigOption {
  readonly dek?: string
  readonly kek?: string
  readonly kekVersion?: string
  readonly list?: true
  readonly prove?: true
  readonly json?: true
}

/** Rows that are written at once. */
const ROWS_PER_WRITE = 1_000

/** `sealstream impact`. */
export function registerImpact(program: Command, terminal: Terminal): void {
  const impact = program
    .command('impact')
    .description('Tell which messages a key ever protected: the count first, then the list')
    .option('--dek <id>', 'the data key that is asked about', parseDekId)
    .option('--kek <id>', 'the KEK that is asked about: its ARN or bare id')
    .option('--kek-version <version>', 'only what this version of the KEK wrapped')
    .option('--list', 'then list every message, one JSON object a line')
    .option('--prove', 'hold the index against a scan of the whole bucket instead')
    .option('--json', 'print the count as JSON too')
    .action((options: ImpactOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(impact),
    'sealstream impact --dek 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11',
    'sealstream impact --kek 1234abcd-12ab-34cd-56ef-1234567890ab --json',
    'sealstream impact --dek 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11 --list > affected.ndjson',
  )
}

async function answer(options: ImpactOptions, terminal: Terminal): Promise<void> {
  const scope = scopeOf(options)
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  if (options.prove) return answerProof(config, scope, options.json === true, terminal)
  const { withMappingReader } = await import('../../compose/impact.ts')
  await withMappingReader(config, async (reader) => {
    const summary = await impactOf(reader, scope)
    if (options.json) terminal.out(renderJson({ ...scope, ...summary }))
    else if (options.list) terminal.err(renderSummary(scope, summary))
    else terminal.out(renderSummary(scope, summary))
    if (options.list) await list(reader, scope, summary)
  })
}

function scopeOf({ dek, kek, kekVersion }: ImpactOptions): ImpactScope {
  if ((dek === undefined) === (kek === undefined)) {
    throw new SealError('SEAL_INPUT_INVALID', 'name one key: --dek <id> or --kek <id>')
  }
  if (kek?.trim() === '') throw new SealError('SEAL_INPUT_INVALID', '--kek is empty')
  if (dek === undefined) {
    return { kekId: kek ?? '', ...(kekVersion === undefined ? {} : { kekVersion }) }
  }
  if (kekVersion === undefined) return { dekId: dek }
  throw new SealError('SEAL_INPUT_INVALID', '--kek-version goes with --kek')
}

async function list(
  reader: MappingReader,
  scope: ImpactScope,
  { messages }: ImpactSummary,
): Promise<void> {
  const progress = startProgress('messages', !process.stdout.isTTY, messages)
  let rows: string[] = []
  const write = async () => {
    if (!process.stdout.write(rows.join(''))) await once(process.stdout, 'drain')
    progress.add(rows.length)
    rows = []
  }
  for await (const message of impactMessages(reader, scope)) {
    rows.push(renderJson(message))
    if (rows.length >= ROWS_PER_WRITE) await write()
  }
  await write()
  progress.end()
}

function renderSummary(scope: ImpactScope, summary: ImpactSummary): string {
  const { deks, objects, messages, bytes, segments } = summary
  const number = (count: number) => count.toLocaleString('en').padStart(15)
  const name = 'dekId' in scope ? `DEK ${scope.dekId}` : `KEK ${scope.kekId}`
  const version = 'kekVersion' in scope ? ` version ${scope.kekVersion}` : ''
  const lines = [
    `${name}${version} protected`,
    `${number(messages)} messages`,
    `${number(bytes)} bytes`,
    `${number(objects)} objects`,
    `${number(deks)} DEKs`,
  ]
  if (segments.sealed > 0) {
    lines.push(`${number(segments.sealed)} of the objects are not marked as published`)
  }
  if (segments.intended > 0) {
    lines.push(`${number(segments.intended)} more objects were begun and may exist`)
  }
  if (segments.swept > 0) {
    lines.push(`${number(segments.swept)} more were never published and have been swept`)
  }
  return `${lines.join('\n')}\n`
}
