import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { type CopiesSummary, copiesOf } from '../../incident/copies.ts'
import { type ImpactSummary, impactOf, impactPages } from '../../incident/impact.ts'
import type { ImpactReader, ImpactScope } from '../../incident/impact-scope.ts'
import { placesOfMessage, placesOfMessageId } from '../../incident/message-places.ts'
import { stdoutOutput } from '../data-output.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import {
  type ImpactOptions,
  type ImpactQuestion,
  parseFormat,
  parseOffset,
  parsePartition,
  parseTime,
  provenKeyOf,
  questionOf,
} from '../impact-options.ts'
import {
  INCOMPLETE,
  renderImpact,
  renderImpactJson,
  renderMessage,
  renderMessageJson,
} from '../impact-text.ts'
import { type ListFormat, listHead, listLines } from '../list-lines.ts'
import { parseDekId, withConfigOption, withExamples } from '../options.ts'
import { startProgress } from '../progress.ts'
import { answerProof } from '../prove-impact.ts'
import { renderWarning } from '../render.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

type MessageQuestion = Exclude<ImpactQuestion, { readonly scope: ImpactScope }>

/** `sealstream impact`. */
export function registerImpact(program: Command, terminal: Terminal): void {
  const impact = program
    .command('impact')
    .description('Tell which messages a key ever protected, or which key protects a message')
    .option('--dek <id>', 'the data key that is asked about', parseDekId)
    .option('--kek <id>', 'the KEK that is asked about: its ARN or bare id')
    .option('--kek-version <version>', 'only what this version of the KEK wrapped')
    .option('--domain <name>', 'the key domain that is asked about')
    .option('--topic <name>', 'the source topic that is asked about')
    .option('--partition <number>', 'only this partition of the topic', parsePartition)
    .option('--from <time>', 'segments that were open at this time or later', parseTime)
    .option('--to <time>', 'segments that were open before this time', parseTime)
    .option('--offset <number>', 'with topic and partition: this one message', parseOffset)
    .option('--message-id <id>', 'messages with this id (mapping.messageIdHeader)')
    .option('--list', 'list every message on stdout; the counts go to stderr')
    .option('--format <format>', 'of the list: ndjson (the default) or csv', parseFormat)
    .option('--copies', 'count what is in the bucket too: old versions, uploads, orphans')
    .option('--prove', 'hold the index against a scan of the whole bucket instead; of a key')
    .option('--json', 'print JSON')
    .action((options: ImpactOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(impact),
    'sealstream impact --dek 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11',
    'sealstream impact --kek 1234abcd-12ab-34cd-56ef-1234567890ab --kek-version 3 --copies --json',
    'sealstream impact --topic orders --from 2026-01-02 --to 2026-01-03 --list --format csv > orders.csv',
    'sealstream impact --topic orders --partition 3 --offset 42',
  )
}

async function answer(options: ImpactOptions, terminal: Terminal): Promise<void> {
  const question = questionOf(options)
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  if (options.prove) {
    return answerProof(config, provenKeyOf(options), options.json === true, terminal)
  }
  const { withImpactReader } = await import('../../compose/impact.ts')
  const stop = stopSignal()
  const work = withImpactReader(config, (reader) =>
    'scope' in question
      ? answerScope(reader, config, question.scope, options, terminal, stop.signal)
      : answerMessage(reader, question, options, terminal),
  )
  try {
    // Reading has no effect that would have to end in good order, so it is simply left.
    await Promise.race([work, stop.requested])
    if (stop.signal.aborted) terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    stop.release()
  }
}

async function answerScope(
  reader: ImpactReader,
  config: Config,
  scope: ImpactScope,
  options: ImpactOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const summary = await counted(reader, scope)
  const copies = options.copies ? await copiesIn(reader, config, scope, summary) : null
  const render = options.json ? renderImpactJson : renderImpact
  const write = options.list ? terminal.err : terminal.out
  write(render(scope, summary, copies))
  tellCoverage(summary.isComplete, terminal)
  if (options.list) await list(reader, scope, summary, options.format ?? 'ndjson', signal)
}

async function counted(reader: ImpactReader, scope: ImpactScope): Promise<ImpactSummary> {
  const progress = startProgress('segments', true)
  try {
    return await impactOf(reader, scope, () => progress.add(1))
  } finally {
    progress.end()
  }
}

async function copiesIn(
  reader: ImpactReader,
  config: Config,
  scope: ImpactScope,
  { segments }: ImpactSummary,
): Promise<CopiesSummary> {
  const { withInventory } = await import('../../compose/impact.ts')
  const total = Object.values(segments).reduce((sum, count) => sum + count, 0)
  const progress = startProgress('segments in the bucket', true, total)
  try {
    return await withInventory(config, (inventory) =>
      copiesOf(reader, inventory, scope, config.s3.prefix, () => progress.add(1)),
    )
  } finally {
    progress.end()
  }
}

async function list(
  reader: ImpactReader,
  scope: ImpactScope,
  { messages }: ImpactSummary,
  format: ListFormat,
  signal: AbortSignal,
): Promise<void> {
  const progress = startProgress('messages', !process.stdout.isTTY, messages)
  try {
    await stdoutOutput.write(listHead(format))
    for await (const page of impactPages(reader, scope)) {
      if (signal.aborted) return
      await stdoutOutput.write(listLines(format, page))
      progress.add(page.frames.count)
    }
  } finally {
    progress.end()
  }
}

async function answerMessage(
  reader: ImpactReader,
  question: MessageQuestion,
  options: ImpactOptions,
  terminal: Terminal,
): Promise<void> {
  const isComplete = await reader.coverAll()
  tellCoverage(isComplete, terminal)
  if ('messageId' in question) {
    const found = await placesOfMessageId(reader, question.messageId)
    const text = `messages with the id "${question.messageId}"`
    terminal.out(
      options.json ? renderMessageJson(question, found, isComplete) : renderMessage(text, found),
    )
    return
  }
  const { message } = question
  const { topic, partition, offset } = message
  const found = await placesOfMessage(reader, message)
  const text = `topic ${topic} partition ${partition} offset ${offset}`
  terminal.out(
    options.json ? renderMessageJson(message, found, isComplete) : renderMessage(text, found),
  )
}

function tellCoverage(isComplete: boolean, terminal: Terminal): void {
  if (isComplete) return
  terminal.err(renderWarning(INCOMPLETE))
  terminal.exitCode = EXIT_CODES.incomplete
}
