import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { runTool } from '../../docker/stack/run-tool.ts'
import { systemClock } from '../../src/clock.ts'
import { cachedPart } from './cached-part.ts'

const SOURCES = resolve(import.meta.dirname, '../servers/vault')
const BINARY = 'vault'
const POLL_MS = 50
const READY_WITHIN_MS = 30_000

/** The path of the Vault in test/servers/vault; built when it is not there, which takes minutes. */
export async function vaultBinary(): Promise<string> {
  const hash = createHash('sha256')
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCES, file)))
  const folder = await cachedPart({
    folder: `vault-1.14.1-${hash.digest('hex').slice(0, 12)}`,
    proof: BINARY,
    tool: 'go',
    build: (into) =>
      runTool(
        'building Vault',
        'go',
        ['build', '-trimpath', '-ldflags=-s -w', '-o', join(into, BINARY), '.'],
        { cwd: SOURCES, env: { GOFLAGS: '-mod=readonly -buildvcs=false' } },
      ),
  })
  return join(folder, BINARY)
}

/** What the HTTP API answers where it answers with data. */
type Data = Readonly<Record<string, unknown>>

/** A real Vault in a process and a folder of its own, with Transit at `transit/`, and its root. */
export class VaultServer {
  readonly #binary: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'sealstream-vault-'))
  #process: ChildProcess | null = null
  #address = '127.0.0.1:0'
  #unsealKey = ''
  #rootToken = ''

  private constructor(binary: string) {
    this.#binary = binary
  }

  /** A Vault that is initialised and open. */
  static async start(binary: string): Promise<VaultServer> {
    const vault = new VaultServer(binary)
    try {
      await vault.launch()
      await vault.#initialise()
      return vault
    } catch (error) {
      await vault.remove()
      throw error
    }
  }

  get address(): string {
    return `http://${this.#address}`
  }

  get rootToken(): string {
    return this.#rootToken
  }

  /** Starts the process; it is sealed then. The port stays the same. */
  async launch(): Promise<void> {
    const child = spawn(this.#binary, [this.#address, join(this.#folder, 'data')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#process = child
    for await (const line of createInterface({ input: child.stdout })) {
      const address = /^listening on (\S+)$/.exec(line)?.[1]
      if (address === undefined) continue
      this.#address = address
      // Nobody reads on, and a full pipe would hold it up.
      child.stdout.resume()
      return
    }
    throw new Error('Vault ended before it listened')
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async seal(): Promise<void> {
    await this.admin('PUT', 'sys/seal')
  }

  /** Resolves when it serves requests. */
  async unseal(): Promise<void> {
    await this.#send('PUT', 'sys/unseal', { key: this.#unsealKey })
    const endMs = systemClock.elapsedMs() + READY_WITHIN_MS
    while (!(await fetch(`${this.address}/v1/sys/health`)).ok) {
      if (systemClock.elapsedMs() > endMs) throw new Error('Vault stays sealed')
      await systemClock.sleep(POLL_MS)
    }
  }

  /** A request of the root. Throws what Vault says when it is refused. */
  admin(method: string, path: string, body?: object): Promise<Data> {
    return this.#send(method, path, body)
  }

  createKey(name: string, settings: object = { derived: true }): Promise<Data> {
    return this.admin('POST', `transit/keys/${name}`, settings)
  }

  /** A token with no other rights than those of `policy`. */
  async tokenWith(policy: string): Promise<string> {
    const name = `p-${createHash('sha256').update(policy).digest('hex').slice(0, 12)}`
    await this.admin('PUT', `sys/policies/acl/${name}`, { policy })
    const { auth } = await this.admin('POST', 'auth/token/create', {
      policies: [name],
      no_default_policy: true,
    })
    return (auth as { client_token: string }).client_token
  }

  /** Ends it and deletes its data. */
  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #initialise(): Promise<void> {
    const shares = { secret_shares: 1, secret_threshold: 1 }
    const { keys, root_token } = (await this.#send('PUT', 'sys/init', shares)) as {
      readonly keys: readonly [string]
      readonly root_token: string
    }
    this.#unsealKey = keys[0]
    this.#rootToken = root_token
    await this.unseal()
    await this.admin('POST', 'sys/mounts/transit', { type: 'transit' })
  }

  async #send(method: string, path: string, body?: object): Promise<Data> {
    const response = await fetch(`${this.address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': this.#rootToken },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answers ${response.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
}
