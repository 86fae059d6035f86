import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { FAILPOINT_VARIABLE, INCIDENT_FAILPOINTS } from '../../src/failpoints.ts'
import { CLI, cleanEnvironment } from '../faults/chaos/encryptor.ts'

/** How a command ended. */
export interface CommandEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface IncidentJson {
  readonly incidentId: string
  readonly lastRunId: string | null
  readonly state: string
  readonly times: Readonly<Record<string, number | null>>
  readonly steps: readonly {
    readonly step: string
    readonly attempts: number
    readonly durationMs: number | null
    readonly details: Readonly<Record<string, unknown>>
  }[]
}

/** An incident by the command line, killed at every step boundary. */
export class IncidentCommands {
  readonly #config: string
  readonly #onNote: (text: string) => void

  constructor(config: string, onNote: (text: string) => void) {
    this.#config = config
    this.#onNote = onNote
  }

  /** Declares it; returns its id. */
  async declare(oldKek: string, newKek: string): Promise<string> {
    const keks = ['--kek', oldKek, '--to', newKek]
    const args = ['incident', 'declare', ...keks, '--reason', 'nuclear', '--by', 'alice', '--json']
    return jsonOf<IncidentJson>(await this.#expect(args, 0)).incidentId
  }

  /** Runs it to its end by way of SIGKILL at every boundary; resolves to how it stands then. */
  async runThroughKills(incidentId: string): Promise<IncidentJson> {
    for (const label of INCIDENT_FAILPOINTS) {
      if (label === 'before-incident-retire') await this.#approve(incidentId)
      const armed = { [FAILPOINT_VARIABLE]: `${label}:exit` }
      const { signal, stderr } = await this.#run(incidentId, armed)
      if (signal !== 'SIGKILL') throw new Error(`${label} was not met: ${stderr}`)
      this.#onNote(`killed at ${label}`)
    }
    const end = await this.#run(incidentId)
    if (end.code !== 0) throw new Error(`it did not come to its end: ${end.stdout}${end.stderr}`)
    return jsonOf<IncidentJson>(end)
  }

  /** Any other command. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandEnd> {
    return runCommand([...args, '--config', this.#config], env)
  }

  async #approve(incidentId: string): Promise<void> {
    const waiting = await this.#run(incidentId)
    if (waiting.code !== 8) throw new Error(`no approval was asked for: ${waiting.stderr}`)
    const args = ['incident', 'approve', incidentId, '--step', 'retire', '--by', 'bob']
    await this.#expect(args, 0)
    this.#onNote('approved by a second person')
  }

  async #run(incidentId: string, env: Readonly<Record<string, string>> = {}): Promise<CommandEnd> {
    const status = await this.#expect(['incident', 'status', incidentId, '--json'], 0)
    const { lastRunId } = jsonOf<IncidentJson>(status)
    const takeOver = lastRunId === null ? [] : ['--take-over', lastRunId]
    const args = ['incident', 'run', incidentId, '--json', '--no-list', '--disable-in-kms']
    return this.run([...args, '--kms-per-second', '1000', ...takeOver], env)
  }

  async #expect(args: readonly string[], code: number): Promise<CommandEnd> {
    const end = await this.run(args)
    if (end.code === code) return end
    throw new Error(`sealstream ${args.join(' ')} ended with ${end.code}: ${end.stderr}`)
  }
}

function jsonOf<T>({ stdout }: CommandEnd): T {
  return JSON.parse(stdout) as T
}

async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CommandEnd> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<Pick<CommandEnd, 'code' | 'signal'>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const [stdout, stderr, end] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { ...end, stdout, stderr }
}
