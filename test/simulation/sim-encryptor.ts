import { nodeEngine } from '../../src/crypto/cipher-engine.ts'
import type { FrameCipher } from '../../src/crypto/frame-cipher.ts'
import type { SegmentKeys } from '../../src/crypto/segment-keys.ts'
import { isSealError, messageOf, type SealError } from '../../src/errors.ts'
import type { PipelineObserver } from '../../src/pipeline/observer.ts'
import type { PartResult, PartRunner, PartTask } from '../../src/pipeline/part-task.ts'
import { workPart } from '../../src/pipeline/part-worker.ts'
import { Pipeline } from '../../src/pipeline/pipeline.ts'
import type { Host } from './host.ts'
import { SimKms } from './sim-kms.ts'
import { SimRegistry } from './sim-registry.ts'
import { SimSink } from './sim-sink.ts'
import { SimSource } from './sim-source.ts'
import { SimObjectStore } from './sim-store.ts'
import type { World } from './world.ts'

const nothing = () => {}

/** One process that runs the product's own road over the simulated services. */
export class SimEncryptor {
  readonly host: Host
  readonly pipeline: Pipeline
  readonly #world: World
  inFlightBytes = 0
  packed = 0
  published = 0
  /** How often a lane was given up, with what it had not published. */
  givenUp = 0
  /** Whether it was ever paused: then it keeps no time limits. */
  hasSlept = false
  /** Partitions that stopped where they are, until somebody acts. */
  readonly stopped = new Set<string>()
  /** Messages under each window when it was last looked at. */
  #seen = { atMs: 0, messages: new Map<string, number>() }

  /** `onFatal` hears of the failure that ends the process. */
  constructor(world: World, host: Host, onFatal: (error: SealError) => void) {
    this.#world = world
    this.host = host
    const registry = new SimRegistry(world, host)
    const store = new SimObjectStore(world, host)
    const kms = new SimKms(world, host)
    const kekOf = () => 'simulated'
    const actor = host.name
    const { settings } = world.scenario
    const { window } = settings
    const hard = { ageMs: 3_600_000, messagesMax: 10_000, bytesMax: 2 ** 30 }
    const policy = world.flaws.on.stretchesWindows ? { ...window, hard } : window
    this.pipeline = new Pipeline(
      {
        source: new SimSource(world, host),
        sink: new SimSink(world, host),
        ...{ store, mapping: registry, observer: this.#observer(), clock: host.clock },
        runner: new SimRunner(world, store, registry),
        keys: { kms, keyStore: registry, events: registry, actor, kekOf },
        lives: { firstUsed: nothing, retired: nothing },
        memory: { rssBytes: () => 0, giveBack: nothing },
      },
      { ...settings, window: policy },
    )
    this.pipeline.finished.catch((error: unknown) => {
      if (isSealError(error)) onFatal(error)
      else world.violate(`${host.name} ends with an error of its own: ${messageOf(error)}`)
    })
  }

  pause(): void {
    this.hasSlept = true
    this.host.pause()
  }

  async start(): Promise<void> {
    this.#world.note(() => `${this.host.name}: starts`)
    await this.pipeline.start()
  }

  #observer(): PipelineObserver {
    const { host } = this
    const note = (line: () => string) => this.#world.note(() => `${host.name}: ${line()}`)
    return {
      packed: (topic, messages) => {
        this.packed += messages
        note(() => `packed ${messages} of ${topic}`)
      },
      ...{ partSealed: nothing, keyAwaited: nothing, kmsCall: nothing, memory: nothing },
      segmentSealed: (topic, bytes) => note(() => `sealed ${bytes} bytes of ${topic}`),
      published: (references) => {
        this.published += references
        note(() => `published ${references}`)
      },
      dekCreated: (keyDomain, dekId) => note(() => `DEK ${dekId} for ${keyDomain}`),
      dekRefused: (keyDomain, error) => note(() => `no DEK for ${keyDomain}: ${error.message}`),
      exposed: () => this.#lookAtWindows(),
      inFlight: (bytes) => {
        this.inFlightBytes = bytes
        if (bytes < 0) this.#world.violate(`${host.name} gives back more budget than it took`)
      },
      waiting: (service, error) => note(() => `waits for ${service}: ${error.message}`),
      recovered: (service) => note(() => `${service} is back`),
      laneReset: (lane, reason) => {
        this.givenUp++
        note(() => `lane ${lane} starts anew: ${reason}`)
      },
      partitionStopped: (topic, partition, offset, error) => {
        note(() => `${topic}/${partition} stops at ${offset}: ${error.message}`)
        this.stopped.add(`${topic}/${partition}`)
      },
      quarantined: (topic, partition, offset) =>
        note(() => `quarantine ${topic}/${partition}@${offset}`),
      assigned: (partitions, lanes) => {
        if (this.packed > this.published) this.givenUp++
        note(() => `holds ${partitions} partitions, ${lanes} lanes`)
      },
    }
  }

  /** Whether anything was packed under a window that was over when it was last looked at. */
  #lookAtWindows(): void {
    const { hard } = this.#world.scenario.settings.window
    const messages = new Map<string, number>()
    for (const { dekId, since, messages: count } of this.pipeline.keys.inUse()) {
      messages.set(dekId, count)
      const isUsed = count > (this.#seen.messages.get(dekId) ?? 0)
      if (isUsed && this.#seen.atMs - since > hard.ageMs) {
        this.#world.violate(`DEK ${dekId} is used beyond the hard age of its window`)
      }
    }
    this.#seen = { atMs: this.host.clock.nowMs(), messages }
  }
}

/** Works parts in this process, with real keys and real sealing, and counts what is sealed. */
class SimRunner implements PartRunner {
  readonly #world: World
  readonly #store: SimObjectStore
  readonly #registry: SimRegistry
  readonly #used = new Map<string, { messages: number; bytes: number }>()

  constructor(world: World, store: SimObjectStore, registry: SimRegistry) {
    this.#world = world
    this.#store = store
    this.#registry = registry
  }

  async run(task: PartTask): Promise<PartResult> {
    const { flaws, scenario } = this.#world
    const { referencePer } = scenario
    const progress = { ...task.progress, sealed: task.progress.sealed && !flaws.on.sealsAgain }
    const engine = { create: (keys: SegmentKeys) => this.#cipher(task.segment.dekId, keys) }
    const services = { engine, store: this.#store, mapping: this.#registry, referencePer }
    return workPart({ ...task, progress, buffer: task.buffer.transfer() }, services)
  }

  async close(): Promise<void> {}

  #cipher(dekId: string, keys: SegmentKeys): FrameCipher {
    const cipher = nodeEngine.create(keys)
    const key = keys.frameKey.reveal((bytes) => Buffer.from(bytes).toString('latin1'))
    const base = Buffer.from(keys.baseNonce)
    const low = base.readUInt32BE(8)
    const head = key + base.toString('latin1', 0, 8)
    return {
      seal: (part, frameAt, frameBytes, seq, aad) => {
        this.#world.checker.frameSealed(head + ((low ^ seq) >>> 0))
        this.#count(dekId, frameBytes)
        cipher.seal(part, frameAt, frameBytes, seq, aad)
      },
      open: (...asked) => cipher.open(...asked),
      [Symbol.dispose]: () => cipher[Symbol.dispose](),
    }
  }

  #count(dekId: string, frameBytes: number): void {
    const { hard } = this.#world.scenario.settings.window
    const used = this.#used.get(dekId) ?? { messages: 0, bytes: 0 }
    this.#used.set(dekId, used)
    used.messages++
    used.bytes += frameBytes
    const isOver = used.messages > hard.messagesMax
    if (isOver || (used.messages > 1 && used.bytes > hard.bytesMax)) {
      this.#world.violate(
        `DEK ${dekId} is used beyond its hard limits: ${used.messages} messages, ${used.bytes} bytes`,
      )
    }
  }
}
