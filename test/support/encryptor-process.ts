import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/clock.ts'

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const POLL_MS = 50
const TAIL_LINES = 15
const running = new Set<ChildProcess>()

// A test that fails leaves its process behind, and that would go on sealing.
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** How a process of the command line ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly elapsedMs: number
}

/** What `/readyz` said. */
export interface Readiness {
  readonly httpStatus: number
  readonly status: string
  readonly reasons: readonly string[]
  readonly warnings?: readonly string[]
}

/** One `sealstream` as a real process, without SEALSTREAM_* variables of the machine. */
export class CommandLineProcess {
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  #stdout: Buffer[] = []
  #stderr = ''

  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    nodeFlags: readonly string[] = [],
  ) {
    const startedAtMs = systemClock.elapsedMs()
    this.#child = spawn(process.execPath, [...nodeFlags, CLI, ...args], {
      env: { ...environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.#child)
    this.#child.once('exit', () => running.delete(this.#child))
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#stdout.push(bytes))
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr += bytes.toString('utf8')
    })
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) =>
        resolve({
          code,
          signal,
          stdout: Buffer.concat(this.#stdout).toString('utf8'),
          stderr: this.#stderr,
          elapsedMs: systemClock.elapsedMs() - startedAtMs,
        }),
      )
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

/** `sealstream run` as a real process, seen from outside: log, metrics, probes, signals. */
export class EncryptorProcess extends CommandLineProcess {
  constructor(
    configPath: string,
    env: Readonly<Record<string, string>> = {},
    nodeFlags: readonly string[] = [],
  ) {
    super(['run', '--config', configPath], env, nodeFlags)
  }

  /** The log so far, one object a line. */
  get log(): Record<string, unknown>[] {
    const lines = this.stderr.slice(0, this.stderr.lastIndexOf('\n') + 1).split('\n')
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  }

  /** Lines of the log whose message matches. */
  logged(message: RegExp): Record<string, unknown>[] {
    return this.log.filter(({ msg }) => message.test(String(msg)))
  }

  /** What `/readyz` says; null as long as nothing answers. */
  async readiness(): Promise<Readiness | null> {
    const response = await this.#get('/readyz')
    if (response === null) return null
    const report = (await response.json()) as Omit<Readiness, 'httpStatus'>
    return { httpStatus: response.status, ...report }
  }

  /** The sum of a metric over its labels; 0 as long as nothing answers. */
  async metric(name: string): Promise<number> {
    const response = await this.#get('/metrics')
    if (response === null) return 0
    const lines = (await response.text()).split('\n')
    if (!lines.some((line) => line.startsWith(`# TYPE ${name} `))) throw new Error(`no ${name}`)
    const own = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  /** Resolves when it does its work. Throws, with its log, when it ended instead. */
  ready(): Promise<void> {
    return this.until('ready', async () => (await this.readiness())?.status === 'ok')
  }

  /** Resolves when `is` does; throws with the log when the process ends before, or after a minute. */
  async until(
    what: string,
    is: () => Promise<boolean> | boolean,
    withinMs = 60_000,
  ): Promise<void> {
    const endMs = systemClock.elapsedMs() + withinMs
    while (!(await is())) {
      if (!this.isRunning) throw new Error(`ended before it was ${what}${this.#tail()}`)
      if (systemClock.elapsedMs() > endMs) throw new Error(`was not ${what} in time${this.#tail()}`)
      await systemClock.sleep(POLL_MS)
    }
  }

  /** Asks it to end and waits for that. */
  async stop(): Promise<Ending> {
    this.kill('SIGTERM')
    return this.ended
  }

  #tail(): string {
    return `; the end of its log:\n${this.stderr.trimEnd().split('\n').slice(-TAIL_LINES).join('\n')}`
  }

  async #get(path: string): Promise<Response | null> {
    const url = this.logged(/metrics and probes/)[0]?.url
    if (typeof url !== 'string') return null
    return fetch(url + path, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
  }
}

/** Runs one command to its end. */
export function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ending> {
  return new CommandLineProcess(args, env).ended
}

function environment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env)
  return Object.fromEntries(
    entries.filter(([name]) => !/^(SEALSTREAM_|AWS_|NODE_OPTIONS|VITEST)/.test(name)),
  )
}
