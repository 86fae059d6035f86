import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { identify, isAlive, type ProcessIdentity } from '../../docker/stack/process-identity.ts'
import { systemClock } from '../../src/clock.ts'
import { DemoError } from './demo-error.ts'
import { lastReason } from './last-reason.ts'
import { MetricsPage } from './metrics-page.ts'

/** The command line of the product, as a user would call it. */
export const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

const READY_WITHIN_MS = 60_000
const STOPPED_WITHIN_MS = 30_000
const REQUEST_WITHIN_MS = 5_000
const POLL_MS = 100

/** The environment of a child without SEALSTREAM_* variables, which would change its configuration. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env)
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith('SEALSTREAM_')))
}

/** Where an encryptor keeps its files and answers. */
export interface EncryptorPlace {
  /** Name of its log and its configuration. */
  readonly name: string
  readonly folder: string
  readonly configPath: string
  readonly httpPort: number
  /** Flags for Node, before the program. */
  readonly nodeFlags?: readonly string[]
}

/** One encryptor as a process of its own, in a group of its own: Ctrl-C reaches only the demo. */
export class EncryptorProcess {
  readonly logPath: string
  readonly pid: number
  readonly #child: ChildProcess
  readonly #place: EncryptorPlace

  /** Starts it. It is not ready yet; ask {@link metrics} or {@link ready}. */
  constructor(place: EncryptorPlace) {
    this.#place = place
    mkdirSync(place.folder, { recursive: true })
    this.logPath = join(place.folder, `${place.name}.log`)
    const log = openSync(this.logPath, 'w')
    const args = [...(place.nodeFlags ?? []), CLI, 'run', '--config', place.configPath]
    this.#child = spawn(process.execPath, args, {
      detached: true,
      env: childEnvironment(),
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#child.unref()
    if (this.#child.pid === undefined) {
      throw new DemoError(`the encryptor cannot be started with ${process.execPath}`)
    }
    this.pid = this.#child.pid
  }

  /** The metrics of now, or null while it does not answer. Throws a DemoError when it has ended. */
  async metrics(): Promise<MetricsPage | null> {
    const page = await this.#get('/metrics')
    return page === null ? null : new MetricsPage(page)
  }

  /** Resolves when it does its work. Throws a DemoError when it ends or takes too long. */
  async ready(signal: AbortSignal): Promise<void> {
    const endMs = systemClock.elapsedMs() + READY_WITHIN_MS
    while ((await this.#get('/readyz')) === null) {
      signal.throwIfAborted()
      if (systemClock.elapsedMs() > endMs) throw this.failure('is not ready after a minute')
      await systemClock.sleep(POLL_MS, signal)
    }
  }

  /** An error about this process, with the last reason that its log gives. */
  failure(what: string): DemoError {
    const reason = lastReason(readFileSync(this.logPath, 'utf8'))
    return new DemoError(
      `the encryptor ${what}${reason === '' ? '' : `: ${reason}`}`,
      basename(this.logPath),
    )
  }

  /** Asks it to publish what it read and to end; kills it when it does not. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return
    const ended = once(this.#child, 'exit')
    this.#child.ref()
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOPPED_WITHIN_MS)
    await ended
    clearTimeout(timer)
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #get(path: string): Promise<string | null> {
    if (this.#hasEnded) throw this.failure('has ended')
    try {
      const url = `http://127.0.0.1:${this.#place.httpPort}${path}`
      const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_WITHIN_MS) })
      return response.ok ? await response.text() : null
    } catch {
      return null
    }
  }
}

/** Notes an encryptor that outlives the demo, so that a later run finds and ends it. */
export async function keepRecord(folder: string, pid: number): Promise<void> {
  writeFileSync(recordPath(folder), JSON.stringify(await identify(pid)))
}

/** Ends the encryptor that an earlier run left, and its record. True when there was one. */
export async function endKept(folder: string): Promise<boolean> {
  const kept = keptEncryptor(folder)
  rmSync(recordPath(folder), { force: true })
  if (kept === null || !(await isAlive(kept))) return false
  process.kill(kept.pid, 'SIGTERM')
  const endMs = systemClock.elapsedMs() + STOPPED_WITHIN_MS
  while (await isAlive(kept)) {
    if (systemClock.elapsedMs() > endMs) process.kill(kept.pid, 'SIGKILL')
    await systemClock.sleep(POLL_MS)
  }
  return true
}

/** The encryptor that an earlier run was asked to keep, or null. It may have ended since. */
export function keptEncryptor(folder: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(recordPath(folder), 'utf8')) as ProcessIdentity | null
  } catch {
    return null
  }
}

function recordPath(folder: string): string {
  return join(folder, 'kept.json')
}
