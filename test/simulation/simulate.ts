import { type ErrorCode, messageOf, type SealError } from '../../src/errors.ts'
import { Host } from './host.ts'
import { NO_FAULTS, type Service } from './network.ts'
import { openEverything } from './opening.ts'
import { startProducers } from './producers.ts'
import { SimEncryptor } from './sim-encryptor.ts'
import { Sweeps } from './sweeps.ts'
import { type RunOptions, World } from './world.ts'

/** What came of a run. */
export interface RunResult {
  /** The first promise that was broken; null when all held. */
  readonly violation: string | null
  readonly references: number
  readonly messages: number
  /** Happenings of virtual time. */
  readonly happened: number
}

/** Where a process may stand, and the one that runs there now. */
interface Slot {
  readonly name: string
  encryptor: SimEncryptor | null
  starts: number
}

const SERVICES: readonly Service[] = ['kafka', 's3', 'cassandra', 'kms']
/** Failures that may end a process: what it met, no waiting mends. */
const FATAL_CODES: ReadonlySet<ErrorCode> = new Set(['SEAL_KEK_DISABLED'])
/** Of so many seeds, one has every message opened at the end. */
const OPENED_EVERY = 10
const LOOK_EVERY_MS = 1_000
/** What closing takes beyond the drain. */
const CLOSE_MS_MAX = 3_000

/** One seed, from its first message to its end. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  const world = new World(options)
  const realRandom = Math.random
  const { stackTraceLimit } = Error
  const onUnhandled = (reason: unknown) =>
    world.violate(`a rejection that nobody handles: ${messageOf(reason)}`)
  process.on('unhandledRejection', onUnhandled)
  Math.random = () => world.random.next()
  // Nobody reads the stacks of thousands of errors, and they take a third of the time.
  Error.stackTraceLimit = 0
  try {
    await new Run(world).run()
    if (options.seed % OPENED_EVERY === 0 && world.violation === null) await openEverything(world)
  } finally {
    Math.random = realRandom
    Error.stackTraceLimit = stackTraceLimit
    process.off('unhandledRejection', onUnhandled)
  }
  const { violation, checker, scenario, scheduler } = world
  const references = checker.visible.length
  return { violation, references, messages: scenario.messages, happened: scheduler.happened }
}

class Run {
  readonly #world: World
  readonly #slots: Slot[]
  readonly #unsealable: ReadonlySet<string>
  readonly #sweeps: Sweeps
  #isSwept = false

  constructor(world: World) {
    this.#world = world
    const { scenario, random, scheduler } = world
    this.#unsealable = startProducers(world)
    this.#slots = Array.from({ length: scenario.hosts }, (_, i) => {
      return { name: `enc${i + 1}`, encryptor: null, starts: 0 }
    })
    for (const slot of this.#slots) {
      scheduler.at(random.pick([0, random.next() * 15_000]), () => this.#start(slot))
    }
    for (let i = 0; i < scenario.incidents; i++) {
      scheduler.at(random.next() * scenario.faultsEndMs, () => this.#incident())
    }
    this.#sweeps = new Sweeps(world)
    if (scenario.isSwept) this.#sweeps.begin()
  }

  async run(): Promise<void> {
    const { scenario, scheduler, checker } = this.#world
    if (scenario.mode === 'liveness') {
      scheduler.at(scenario.faultsEndMs, () => this.#endFaults())
    }
    await scheduler.runUntil(scenario.endMs)
    if (this.#world.violation !== null) return
    checker.lookAround()
    const missing = scenario.mode === 'liveness' ? this.#missing() : ''
    if (missing !== '') this.#world.violate(`not sealed in time: ${missing}`)
    else if (scenario.mode === 'liveness' && scenario.isSwept && !this.#isSwept) {
      this.#world.violate('not swept in time')
    }
  }

  #start(slot: Slot): void {
    const { scheduler, random, scenario } = this.#world
    slot.starts++
    const name = `${slot.name}.${slot.starts}`
    const host = new Host(
      name,
      scheduler,
      random.pick([0, random.int(-scenario.skewMsMax, scenario.skewMsMax)]),
    )
    const encryptor: SimEncryptor = new SimEncryptor(this.#world, host, (error) =>
      this.#fatal(slot, encryptor, error),
    )
    slot.encryptor = encryptor
    void encryptor.start()
  }

  #fatal(slot: Slot, encryptor: SimEncryptor, error: SealError): void {
    const { host } = encryptor
    this.#world.note(() => `${host.name}: ends: ${error.message}`)
    if (!FATAL_CODES.has(error.code)) {
      this.#world.violate(`${host.name} ends with ${error.code}: ${error.message}`)
    }
    this.#crash(slot, encryptor)
  }

  #crash(slot: Slot, encryptor: SimEncryptor): void {
    const { random, scheduler } = this.#world
    if (encryptor.host.isDead) return
    this.#world.note(() => `${encryptor.host.name}: is gone`)
    encryptor.host.crash()
    slot.encryptor = null
    scheduler.at(random.next() * 5_000, () => this.#start(slot))
  }

  #incident(): void {
    const { random, scheduler, scenario } = this.#world
    const slot = random.pick(this.#slots)
    const { encryptor } = slot
    const lastsMs = random.next() ** 2 * scenario.incidentMsMax
    switch (
      random.pick([
        'crash',
        'pause',
        'pause',
        'stop',
        'stop',
        'down',
        'down',
        'rotate',
        'disable',
        'expire',
      ])
    ) {
      case 'crash':
        if (encryptor !== null) this.#crash(slot, encryptor)
        break
      case 'pause':
        this.#world.note(() => `${slot.name}: sleeps for ${Math.round(lastsMs)} ms`)
        encryptor?.pause()
        scheduler.at(lastsMs, () => encryptor?.host.resume())
        break
      case 'stop':
        if (encryptor !== null) this.#stop(slot, encryptor)
        break
      case 'down':
        this.#takeAway(random.pick(SERVICES), random.pick(['refusing', 'silent']), lastsMs)
        break
      case 'rotate':
        this.#world.note(() => `${slot.name}: rotates`)
        encryptor?.host.deliver(() => {
          void encryptor.pipeline.keys.rotate({ dekId: null, keyDomain: null }, 'asked for')
        })
        break
      case 'disable':
        this.#world.isKekDisabled = true
        scheduler.at(lastsMs, () => {
          this.#world.isKekDisabled = false
        })
        break
      case 'expire':
        this.#expire()
    }
  }

  #takeAway(service: Service, how: 'refusing' | 'silent', lastsMs: number): void {
    const { network, scheduler, scenario, random } = this.#world
    this.#world.note(() => `${service} is ${how} for ${Math.round(lastsMs)} ms`)
    network.setDown(service, how)
    scheduler.at(lastsMs, () => {
      network.setDown(service, null)
      // What was stuck for long goes on now; an operator who sweeps after an outage meets just that.
      if (scenario.isSwept) scheduler.at(random.next() * 1_000, () => this.#sweeps.sweep())
    })
  }

  /** What is committed may go; in safety mode retention may also overtake the encryptors. */
  #expire(): void {
    const { kafka, random, scenario } = this.#world
    const partition = random.pick(kafka.partitions)
    const committed = kafka.transactions.committed.get(partition.place)
    if (committed === undefined) return
    const isOvertaking = scenario.mode === 'safety' && random.chance(0.3)
    const offset = isOvertaking ? committed + random.int(1, 10) : random.int(0, committed)
    partition.expire(offset)
    this.#world.note(() => `kafka: ${partition.place} begins at ${partition.startOffset}`)
  }

  #stop(slot: Slot, encryptor: SimEncryptor): void {
    const { random, scheduler } = this.#world
    const { host, pipeline } = encryptor
    if (host.isPaused) return
    const drainMs = random.pick([0, 500, 5_000, 20_000])
    this.#world.note(() => `${host.name}: is asked to stop in ${drainMs} ms`)
    const startedAtMs = scheduler.nowMs
    const { givenUp } = encryptor
    pipeline.stop(drainMs).then((isDrained) => {
      this.#world.note(() => `${host.name}: has stopped, ${isDrained ? 'with all' : 'not all'}`)
      const { packed, published } = encryptor
      if (isDrained && givenUp === 0 && packed > published) {
        this.#world.violate(
          `${host.name} says that all got through: ${packed} packed, ${published} published`,
        )
      }
      const tookMs = scheduler.nowMs - startedAtMs
      if (tookMs > drainMs + CLOSE_MS_MAX + 50 && !encryptor.hasSlept) {
        this.#world.violate(`${host.name} takes ${tookMs} ms to stop within ${drainMs} ms`)
      }
      this.#crash(slot, encryptor)
    })
  }

  /** From here on nothing goes wrong any more, and everybody is there. */
  #endFaults(): void {
    const { network } = this.#world
    this.#world.note(() => 'the faults end')
    this.#world.isKekDisabled = false
    for (const service of SERVICES) {
      network.setDown(service, null)
      network.rates[service] = NO_FAULTS
    }
    for (const { encryptor } of this.#slots) encryptor?.host.resume()
    this.#lookIfOver()
  }

  #lookIfOver(): void {
    const { checker, scheduler, scenario } = this.#world
    checker.lookAround()
    if (this.#missing() !== '') scheduler.at(LOOK_EVERY_MS, () => this.#lookIfOver())
    else if (!scenario.isSwept) scheduler.stop()
    else this.#sweeps.finish(() => this.#lookIfSwept())
  }

  #lookIfSwept(): void {
    const { scheduler } = this.#world
    const left = this.#sweeps.left()
    if (left !== '') this.#world.violate(`the last sweep leaves ${left}`)
    this.#isSwept = true
    scheduler.stop()
  }

  /** What is not done yet, in words; empty when all is. */
  #missing(): string {
    const { checker, scenario } = this.#world
    const mustStopAt = ({
      topic,
      partition,
      offset,
    }: {
      topic: string
      partition: number
      offset: number
    }) =>
      scenario.settings.onUnsealable === 'stop' &&
      this.#unsealable.has(`${topic}/${partition}@${offset}`)
    const unsettled = checker.unsettled(mustStopAt)
    if (unsettled.length > 0)
      return `${unsettled.length} messages, ${unsettled.slice(0, 5).join(', ')}`
    const full = this.#slots.filter(({ encryptor }) => (encryptor?.inFlightBytes ?? 0) > 0)
    return full.map(({ name }) => `${name} holds budget`).join(', ')
  }
}
