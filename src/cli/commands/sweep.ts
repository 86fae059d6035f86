import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import { refuseSweepAge, sweepAgeMs } from '../../config/sweep-age.ts'
import { isSealError, SealError } from '../../errors.ts'
import { carryOut } from '../../incident/sweep.ts'
import { planSweep, type SweepScope } from '../../incident/sweep-plan.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { type ConfigOption, parseAge, withConfigOption, withExamples } from '../options.ts'
import { type Progress, startProgress } from '../progress.ts'
import { type StopSignal, stoppedCode, stopSignal } from '../stop-signal.ts'
import { renderSweep, renderSweepJson, type SweepReport } from '../sweep-text.ts'
import type { Terminal } from '../terminal.ts'

interface SweepOptions extends ConfigOption {
  readonly yes?: true
  readonly olderThan?: number
  readonly json?: true
}

/** `sealstream sweep`. */
export function registerSweep(program: Command, terminal: Terminal): void {
  const sweep = program
    .command('sweep')
    .description('Find what crashed encryptors left behind; remove it with --yes')
    .option('--yes', 'remove it; without this nothing is changed')
    .option(
      '--older-than <age>',
      'touch nothing younger than this (default: 1 day or more)',
      parseAge,
    )
    .option('--json', 'print JSON')
    .action((options: SweepOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(sweep),
    'sealstream sweep',
    'sealstream sweep --older-than 36h --json',
    'sealstream sweep --yes',
  )
}

async function answer(options: SweepOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  const ageMs = options.olderThan ?? sweepAgeMs(config)
  const refusal = refuseSweepAge(ageMs, config)
  if (refusal !== null) throw new SealError('SEAL_INPUT_INVALID', `--older-than: ${refusal}`)
  const { sweepPlaceOf, withSweepPorts } = await import('../../compose/sweep.ts')
  const stop = stopSignal()
  const meter = new StageMeter()
  const scope: SweepScope = {
    ...sweepPlaceOf(config),
    ...{ ageMs, signal: stop.signal, onProgress: meter.show },
  }
  try {
    await withSweepPorts(config, async (ports) => {
      const plan = await planSweep(ports, scope)
      const outcome = options.yes ? await carryOut(ports, scope, plan) : null
      meter.end()
      const report = { ageMs, plan, outcome }
      terminal.out(options.json ? renderSweepJson(report) : renderSweep(report))
      terminal.exitCode = exitCodeFor(report, stop)
    })
  } catch (error) {
    if (!isSealError(error, 'SEAL_STOPPED')) throw error
    terminal.err('sealstream: stopped before anything was removed\n')
    terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    meter.end()
    stop.release()
  }
}

/** Something that a person must look at is no success. */
function exitCodeFor({ plan, outcome }: SweepReport, stop: StopSignal): number {
  if (outcome?.isStopped) return stoppedCode(stop.signal)
  const hasAlarm = plan.items.some(({ verdict }) => verdict === 'alarm')
  return hasAlarm || (outcome?.refused.length ?? 0) > 0 ? EXIT_CODES.failed : EXIT_CODES.ok
}

/** A running count for each stage, one line each. */
class StageMeter {
  #stage = ''
  #done = 0
  #progress: Progress | null = null

  readonly show: SweepScope['onProgress'] = (stage, done, total) => {
    if (stage !== this.#stage) {
      this.end()
      this.#stage = stage
      this.#progress = startProgress(stage, true, total)
    }
    this.#progress?.add(done - this.#done)
    this.#done = done
  }

  end(): void {
    this.#progress?.end()
    this.#progress = null
    this.#stage = ''
    this.#done = 0
  }
}
