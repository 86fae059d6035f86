import { runCommand } from './proof.ts'
import type { RunLog } from './run-log.ts'

const UNAVAILABLE = /_UNAVAILABLE\b/

/** Sweeps of a run, beside encryptors and after them, and what came of all of them together. */
export class Sweeps {
  readonly #configPath: string
  readonly #age: string
  readonly #log: RunLog
  readonly #ends = new Map<string, number>()
  #segments = 0
  #objects = 0
  #uploads = 0

  /** `age` is the least that is swept, as the command line takes it. */
  constructor(configPath: string, age: string, log: RunLog) {
    this.#configPath = configPath
    this.#age = age
    this.#log = log
  }

  /** Sweeps once. A service that is away ends it; the next one goes on. */
  async sweep(): Promise<void> {
    const { code, stdout, stderr } = await runCommand([
      ...['sweep', '--yes', '--json', '--older-than', this.#age, '--config', this.#configPath],
    ])
    const how = code === 1 && UNAVAILABLE.test(stderr) ? 'a service was away' : `exit code ${code}`
    this.#ends.set(how, (this.#ends.get(how) ?? 0) + 1)
    if (code !== 0) {
      this.#log.note(`the sweep ended: ${how}`)
      return
    }
    const { segments, objects, uploads } = JSON.parse(stdout).done
    this.#segments += segments
    this.#objects += objects
    this.#uploads += uploads
    this.#log.note(`swept ${segments} segments, ${objects} objects, ${uploads} uploads`)
  }

  /** How they ended, with how often. */
  get ends(): ReadonlyMap<string, number> {
    return this.#ends
  }

  /** What they removed. */
  get removed(): string {
    return `${this.#segments} segments, ${this.#objects} objects, ${this.#uploads} uploads`
  }
}
