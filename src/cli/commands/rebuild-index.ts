import { type Command, Option } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { type RebuildReport, rebuildIndex } from '../../rebuild/rebuild.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { type ConfigOption, parseLimit, withConfigOption, withExamples } from '../options.ts'
import { renderRebuild } from '../rebuild-text.ts'
import { renderJson } from '../render.ts'
import { stepProgress } from '../step-progress.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

interface RebuildOptions extends ConfigOption {
  readonly dryRun?: true
  readonly kafka: boolean
  readonly resume?: true
  readonly force?: true
  readonly limit: number
  readonly json?: true
}

const KEPT_MAX = 20

/** `sealstream rebuild-index`. */
export function registerRebuildIndex(program: Command, terminal: Terminal): void {
  const rebuild = program
    .command('rebuild-index')
    .description('Write what Cassandra lacks of the index, from the bucket and the references')
    .option('--dry-run', 'change nothing: tell in what index and bucket differ')
    .option('--no-kafka', 'when Kafka did not survive: take all segments for published')
    .option('--resume', 'do not read the rows of segments whose totals are on record')
    .addOption(new Option('--force', 'write again what is there as well').conflicts('resume'))
    .option(
      '--limit <count>',
      'differences to print of each kind; all are counted',
      parseLimit,
      KEPT_MAX,
    )
    .option('--json', 'print JSON')
    .action((options: RebuildOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(rebuild),
    'sealstream rebuild-index --dry-run',
    'sealstream rebuild-index',
    'sealstream rebuild-index --no-kafka --json',
  )
}

async function answer(options: RebuildOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { withRebuildPorts } = await import('../../compose/rebuild.ts')
  const isWritten = options.dryRun !== true
  const stop = stopSignal()
  const progress = stepProgress()
  try {
    const scope = {
      prefix: config.s3.prefix,
      rows: rowsOf(options),
      underWayMs: config.segment.publishWithinMs,
      keptMax: options.limit,
      ...{ signal: stop.signal, observer: progress },
    }
    const request = { isWritten, isKafkaAsked: options.kafka }
    const report = await withRebuildPorts(config, request, (ports) => rebuildIndex(ports, scope))
    progress.end()
    terminal.out(
      options.json
        ? renderJson({ dryRun: !isWritten, ...report })
        : renderRebuild(report, isWritten, options.kafka),
    )
    terminal.exitCode = exitCodeOf(report, stop.signal)
  } finally {
    progress.end()
    stop.release()
  }
}

function rowsOf({ resume, force }: RebuildOptions): 'compare' | 'trust' | 'force' {
  if (force) return 'force'
  return resume ? 'trust' : 'compare'
}

/** What is left outweighs that it was stopped only in that both are told. */
function exitCodeOf({ left, isComplete }: RebuildReport, stop: AbortSignal): number {
  if (!isComplete) return stoppedCode(stop)
  return left === 0 ? EXIT_CODES.ok : EXIT_CODES.inconsistent
}
