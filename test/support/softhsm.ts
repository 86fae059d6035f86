import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SoftHsmTask } from './softhsm-admin.ts'
import { softHsmModule } from './softhsm-module.ts'

const ADMIN = fileURLToPath(new URL('./softhsm-admin.ts', import.meta.url))

/** The token that is there from the start, and its PIN. */
export const TOKEN = 'sealstream test'
export const PIN = '4711-secret'

/** How a key differs from a good KEK with random bytes in {@link TOKEN}. */
export interface KeyChanges {
  readonly token?: string
  /** Its bytes in hex. */
  readonly value?: string
  readonly attributes?: Readonly<Record<string, boolean | number>>
}

/** A software HSM with tokens in a folder of its own. */
export class SoftHsm {
  readonly module: string
  readonly folder: string
  /** What a process must have in its environment to see these tokens. */
  readonly env: Readonly<Record<string, string>>

  private constructor(module: string, folder: string) {
    this.module = module
    this.folder = folder
    this.env = { SOFTHSM2_CONF: join(folder, 'softhsm2.conf') }
  }

  /** One with {@link TOKEN} in it, which this process sees as well. */
  static async create(): Promise<SoftHsm> {
    const module = await softHsmModule()
    const hsm = new SoftHsm(module, mkdtempSync(join(tmpdir(), 'sealstream-softhsm-')))
    mkdirSync(hsm.#tokens)
    writeFileSync(
      hsm.env.SOFTHSM2_CONF as string,
      `directories.tokendir = ${hsm.#tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    )
    Object.assign(process.env, hsm.env)
    hsm.initToken(TOKEN)
    return hsm
  }

  /** Adds a token with {@link PIN}. A module that was started before does not see it. */
  initToken(label: string): void {
    this.#run({ do: 'init-token', label, pin: PIN })
  }

  /** Makes an AES-256 key as a KEK should be, but for `over`; `id` is CKA_ID in hex. */
  makeKey(label: string, id: string, over: KeyChanges = {}): void {
    const { token = TOKEN, value, attributes = {} } = over
    this.#run({ do: 'make-key', token, pin: PIN, label, id, attributes, ...(value && { value }) })
  }

  /** Changes attributes of a key. */
  setAttributes(label: string, id: string, attributes: Readonly<Record<string, boolean>>): void {
    this.#run({ do: 'set', token: TOKEN, pin: PIN, label, id, attributes })
  }

  /** Deletes one version of a key. */
  destroyKey(label: string, id: string): void {
    this.#run({ do: 'destroy', token: TOKEN, pin: PIN, label, id })
  }

  /** Whether the last user PIN that a token was given, by any process, was wrong. */
  sawWrongPin(token: string): boolean {
    return JSON.parse(this.#run({ do: 'saw-wrong-pin', token })) as boolean
  }

  /** Takes all tokens away. */
  pullOut(): void {
    renameSync(this.#tokens, `${this.#tokens}.away`)
    mkdirSync(this.#tokens)
  }

  /** Brings them back. */
  putBack(): void {
    rmSync(this.#tokens, { recursive: true })
    renameSync(`${this.#tokens}.away`, this.#tokens)
  }

  /** Deletes everything. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  get #tokens(): string {
    return join(this.folder, 'tokens')
  }

  #run(task: SoftHsmTask): string {
    return execFileSync(process.execPath, [ADMIN, this.module, JSON.stringify(task)], {
      env: { ...process.env, ...this.env },
      encoding: 'utf8',
    })
  }
}
