import { PART_NAMES, type PartName } from '../../../docker/stack/stack-model.ts'
import { systemClock } from '../../../src/clock.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import type { Fleet } from './fleet.ts'
import { secondsText } from './run-log.ts'
import type { Services } from './services.ts'
import type { Sweeps } from './sweeps.ts'

const STOP_MS_MIN = 1_000
const STOP_MS_MAX = 45_000
const DOWN_MS_MAX = 8_000
const STORM_MS_MIN = 10_000
const STORM_MS_MAX = 30_000
const GUEST_EVERY_MS = 2_000
/** A guest leaves so long after it has joined, or has failed to. */
const GUEST_STAYS_MS = 2_000
const GUEST_JOINS_WITHIN_MS = 20_000

/** One thing that goes wrong, from its begin to its end. */
export interface Disturbance {
  /** For counting: `SIGKILL kafka`. */
  readonly kind: string
  /** What it is done to; only one thing at a time. */
  readonly target: string
  /** For the log: what is done, and for how long. */
  readonly text: string
  run(): Promise<void>
}

interface Choice {
  readonly weight: number
  draw(): Disturbance
}

/** Draws what goes wrong next. The seed decides it, and how long it lasts. */
export class Disturbances {
  readonly #random: SeededRandom
  readonly #services: Services
  readonly #fleet: Fleet
  readonly #sweeps: Sweeps
  readonly #choices: readonly Choice[]

  constructor(random: SeededRandom, services: Services, fleet: Fleet, sweeps: Sweeps) {
    this.#random = random
    this.#services = services
    this.#fleet = fleet
    this.#sweeps = sweeps
    this.#choices = [
      { weight: 5, draw: () => this.#killEncryptor() },
      { weight: 3, draw: () => this.#terminateEncryptor() },
      { weight: 5, draw: () => this.#stopEncryptor() },
      { weight: 1, draw: () => this.#storm() },
      { weight: 4, draw: () => this.#killService() },
      { weight: 5, draw: () => this.#stopService() },
      { weight: 1, draw: () => this.#cutKms() },
      { weight: 1, draw: () => this.#sweep() },
    ]
  }

  /** The next one. */
  draw(): Disturbance {
    return this.#random.weighted(this.#choices).draw()
  }

  #killEncryptor(): Disturbance {
    const index = this.#random.below(this.#fleet.size)
    const target = `encryptor ${index + 1}`
    const run = () => this.#fleet.kill(index)
    return { kind: 'SIGKILL encryptor', target, text: `SIGKILL ${target}`, run }
  }

  #terminateEncryptor(): Disturbance {
    const index = this.#random.below(this.#fleet.size)
    const target = `encryptor ${index + 1}`
    const run = async () => void (await this.#fleet.terminate(index))
    return { kind: 'SIGTERM encryptor', target, text: `SIGTERM ${target}`, run }
  }

  #stopEncryptor(): Disturbance {
    const index = this.#random.below(this.#fleet.size)
    const target = `encryptor ${index + 1}`
    const forMs = this.#stopMs()
    const run = async () => {
      this.#fleet.stop(index)
      await systemClock.sleep(forMs)
      this.#fleet.resume(index)
    }
    const text = `SIGSTOP ${target} for ${secondsText(forMs)}`
    return { kind: 'SIGSTOP encryptor', target, text, run }
  }

  #storm(): Disturbance {
    const forMs = this.#random.between(STORM_MS_MIN, STORM_MS_MAX)
    const isPolite = Array.from({ length: forMs / GUEST_EVERY_MS }, () => this.#random.next() < 0.5)
    const run = async () => {
      const visits: Promise<void>[] = []
      for (const polite of isPolite) {
        visits.push(this.#visit(polite ? 'SIGTERM' : 'SIGKILL'))
        await systemClock.sleep(GUEST_EVERY_MS)
      }
      await Promise.all(visits)
    }
    const text = `rebalance storm: ${isPolite.length} encryptors join and leave, one every 2 s`
    return { kind: 'rebalance storm', target: 'group', text, run }
  }

  async #visit(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const guest = this.#fleet.invite()
    await guest.joined(GUEST_JOINS_WITHIN_MS)
    await systemClock.sleep(GUEST_STAYS_MS)
    await guest.leave(signal)
  }

  #killService(): Disturbance {
    const part = this.#part()
    const downMs = this.#random.between(0, DOWN_MS_MAX)
    const run = async () => {
      await this.#services.kill(part)
      await systemClock.sleep(downMs)
      await this.#services.revive(part)
    }
    const text = `SIGKILL ${part}, started again after ${secondsText(downMs)}`
    return { kind: `SIGKILL ${part}`, target: part, text, run }
  }

  #stopService(): Disturbance {
    const part = this.#part()
    const forMs = this.#stopMs()
    const run = async () => {
      await this.#services.stop(part)
      await systemClock.sleep(forMs)
      await this.#services.resume(part)
    }
    const text = `SIGSTOP ${part} for ${secondsText(forMs)}`
    return { kind: `SIGSTOP ${part}`, target: part, text, run }
  }

  #cutKms(): Disturbance {
    const forMs = this.#stopMs()
    const run = async () => {
      await this.#services.cutKms()
      await systemClock.sleep(forMs)
      await this.#services.restoreKms()
    }
    const text = `connections to kms cut for ${secondsText(forMs)}`
    return { kind: 'cut kms', target: 'kms', text, run }
  }

  #sweep(): Disturbance {
    const run = () => this.#sweeps.sweep()
    return { kind: 'sweep', target: 'sweep', text: 'sealstream sweep --yes', run }
  }

  #part(): PartName {
    return PART_NAMES[this.#random.below(PART_NAMES.length)] as PartName
  }

  /** Short ones are more likely than long ones. */
  #stopMs(): number {
    return STOP_MS_MIN + this.#random.next() ** 2 * (STOP_MS_MAX - STOP_MS_MIN)
  }
}
