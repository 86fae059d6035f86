import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../src/clock.ts'

/** The command line of the product. */
export const CLI = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const METRICS_WITHIN_MS = 1_000
const POLL_MS = 100

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What one encryptor has counted, as far as it was asked. */
export interface Counts {
  readonly transactions: number
  readonly references: number
}

/** One `sealstream run` with its log in a file. */
export class Encryptor {
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #logPath: string
  #url: string | null = null
  #counts: Counts = { transactions: 0, references: 0 }

  constructor(configPath: string, logPath: string) {
    this.#logPath = logPath
    const log = openSync(logPath, 'w')
    this.#child = spawn(process.execPath, [CLI, 'run', '--config', configPath], {
      env: cleanEnvironment(),
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves when it is a member of the group, has ended, or has had its time. */
  async joined(withinMs: number): Promise<void> {
    const endMs = systemClock.elapsedMs() + withinMs
    while (this.isRunning && systemClock.elapsedMs() < endMs) {
      if (this.log.includes('"msg":"partitions assigned"')) return
      await systemClock.sleep(POLL_MS)
    }
  }

  /** What it had counted when it was asked last. */
  get counts(): Counts {
    return this.#counts
  }

  /** Asks it for its counts; one that does not answer keeps those of before. */
  async count(): Promise<void> {
    this.#url ??= /"url":"(http:[^"]+)"/.exec(this.log)?.[1] ?? null
    if (this.#url === null || !this.isRunning) return
    try {
      const signal = AbortSignal.timeout(METRICS_WITHIN_MS)
      const page = await (await fetch(`${this.#url}/metrics`, { signal })).text()
      this.#counts = {
        transactions: metricOf(page, 'sealstream_transaction_duration_seconds_count'),
        references: metricOf(page, 'sealstream_published_references_total'),
      }
    } catch {
      // Stopped, busy or gone.
    }
  }

  /** Everything that it has said. */
  get log(): string {
    return readFileSync(this.#logPath, 'utf8')
  }

  /** The last line that tells of a failure: why it ended. */
  get lastReason(): string {
    const lines = this.log.trimEnd().split('\n')
    return lines.findLast((line) => line.startsWith('sealstream: ')) ?? lines.at(-1) ?? ''
  }
}

/** The environment without SEALSTREAM_* variables, which would change the configuration. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env)
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith('SEALSTREAM_')))
}

function metricOf(page: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1] ?? 0)
}
