import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { type Progress, startProgress } from '../progress.ts'
import { renderJson } from '../render.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import { renderCount } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface BackfillOptions extends ConfigOption {
  readonly json?: true
}

/** `sealstream backfill-index`. */
export function registerBackfillIndex(program: Command, terminal: Terminal): void {
  const command = program
    .command('backfill-index')
    .description('Let impact find by topic, time and domain what older releases have sealed')
    .option('--json', 'print JSON')
    .action((options: BackfillOptions) => run(options, terminal))
  withExamples(
    withConfigOption(command),
    'sealstream backfill-index',
    'sealstream backfill-index --json',
  )
}

async function run(options: BackfillOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const { backfillKeyspace } = await import('../../compose/backfill.ts')
  const stop = stopSignal()
  const meter = new Meter()
  try {
    // It may be repeated, so it can be left at any moment.
    const summary = await Promise.race([backfillKeyspace(config, meter.show), stop.requested])
    meter.end()
    if (summary === undefined) {
      terminal.exitCode = stoppedCode(stop.signal)
      terminal.err('sealstream: stopped before the end; call it again\n')
      return
    }
    const { deks, segments, messages } = summary
    const text = `look-ups now cover ${renderCount(messages)} messages in ${renderCount(segments)} segments under ${renderCount(deks)} DEKs\n`
    terminal.out(options.json ? renderJson(summary) : text)
  } finally {
    meter.end()
    stop.release()
  }
}

/** A line of progress for each kind of things. */
class Meter {
  #things = ''
  #count = 0
  #progress: Progress | null = null

  readonly show = (things: string, count: number) => {
    if (things !== this.#things) {
      this.end()
      this.#things = things
      this.#count = 0
      this.#progress = startProgress(things, true)
    }
    this.#progress?.add(count - this.#count)
    this.#count = count
  }

  end(): void {
    this.#progress?.end()
    this.#progress = null
  }
}
