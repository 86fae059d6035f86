import { Checker } from './checker.ts'
import { type FlawName, Flaws } from './flaws.ts'
import { Kafka } from './kafka.ts'
import { type FaultRates, Network } from './network.ts'
import { Random } from './random.ts'
import { MODES, type Mode, type Scenario, scenarioOf } from './scenario.ts'
import { Scheduler } from './scheduler.ts'
import { Registry } from './sim-registry.ts'
import { Bucket } from './sim-store.ts'

/** What one run is told. */
export interface RunOptions {
  readonly seed: number
  readonly mode: Mode
  readonly flaw?: FlawName | null
  /** In place of what the seed says of requests to Kafka. */
  readonly kafkaRates?: FaultRates
  /** Whether there are sweeps, in place of what the seed says. */
  readonly sweeps?: boolean
  /** Hears every line of the trace; without it nothing is written down. */
  readonly onLine?: (line: string) => void
}

const IDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Everything that is there beside the encryptors, and what they all share in a run. */
export class World {
  readonly options: RunOptions
  readonly random: Random
  readonly scheduler = new Scheduler()
  readonly flaws: Flaws
  readonly scenario: Scenario
  readonly network: Network
  readonly kafka: Kafka
  readonly bucket: Bucket
  readonly registry: Registry
  readonly checker: Checker
  /** Plaintext of every data key by its wrapped form, as a KMS would know it. */
  readonly wrappedKeys = new Map<string, Buffer>()
  isKekDisabled = false
  /** The first promise that was broken. */
  violation: string | null = null
  /** Ids are random; the trace names them in the order of their appearance. */
  readonly #names = new Map<string, string>()

  constructor(options: RunOptions) {
    this.options = options
    this.random = new Random(options.seed * 2 + MODES.indexOf(options.mode))
    this.flaws = new Flaws(options.flaw ?? null)
    this.scenario = scenarioOf(this.random, options.mode, options.sweeps ?? null)
    const { scheduler, random, scenario } = this
    const rates = { ...scenario.rates, kafka: options.kafkaRates ?? scenario.rates.kafka }
    this.network = new Network({ scheduler, random }, rates, (line) => this.note(line))
    const { lanes } = scenario.settings
    const events = {
      onComplete: (transactionalId: string) => this.checker.transactionEnded(transactionalId),
      markerMs: () => random.next() ** 3 * 400,
      note: (line: () => string) => this.note(line),
    }
    const { partitions } = scenario
    this.kafka = new Kafka(scheduler, { lanes, partitions }, events, this.flaws.on)
    this.bucket = new Bucket(this)
    this.registry = new Registry(this)
    this.checker = new Checker(this)
  }

  /** Writes a line of the trace. */
  note(line: () => string): void {
    const { onLine } = this.options
    if (onLine === undefined) return
    const named = line().replace(IDS, (id) => this.#nameOf(id))
    onLine(`${this.scheduler.nowMs.toFixed(1).padStart(9)} ${named}`)
  }

  /** A promise is broken: the run ends here. */
  violate(promise: string): void {
    if (this.violation !== null) return
    this.violation = promise.replace(IDS, (id) => this.#nameOf(id))
    this.note(() => `BROKEN: ${promise}`)
    this.scheduler.stop()
  }

  #nameOf(id: string): string {
    const known = this.#names.get(id)
    if (known !== undefined) return known
    const name = `id${this.#names.size + 1}`
    this.#names.set(id, name)
    return name
  }
}
