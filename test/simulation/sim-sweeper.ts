import { messageOf } from '../../src/errors.ts'
import type { ReferenceLog } from '../../src/incident/reference-log.ts'
import { carryOut, type SweepPorts } from '../../src/incident/sweep.ts'
import { planSweep, type SweepItem, type SweepScope } from '../../src/incident/sweep-plan.ts'
import type { FrameColumns, SegmentEntry, SegmentKey } from '../../src/mapping/mapping-store.ts'
import type { OpenUpload, StoredObject } from '../../src/segment/object-inventory.ts'
import { columnsOf } from '../support/frame-columns.ts'
import type { Host } from './host.ts'
import type { Service } from './network.ts'
import { TRANSACTION_MS_MAX } from './transactions.ts'
import type { World } from './world.ts'

/** The product asks for three times the longest of these limits, and so does the simulated operator. */
export const SWEEP_AGE_MS = 3 * TRANSACTION_MS_MAX

/** One process that runs the product's own sweep over the simulated services. */
export class SimSweeper {
  readonly #world: World
  readonly #host: Host

  constructor(world: World, host: Host) {
    this.#world = world
    this.#host = host
  }

  /** Resolves to whether it came to its end; it fails when a service does, and may be killed. */
  async sweep(): Promise<boolean> {
    const { flaws, note } = this.#tools()
    const scope: SweepScope = {
      ...{ prefix: this.#world.scenario.settings.prefix, domains: null },
      ageMs: flaws.on.sweepsYoung ? 2_000 : SWEEP_AGE_MS,
      signal: new AbortController().signal,
      onProgress: () => {},
    }
    try {
      const ports = this.#ports()
      const plan = await planSweep(ports, scope)
      for (const item of plan.items) this.#heed(item)
      const { segments, objects, uploads } = await carryOut(ports, scope, plan)
      note(() => `swept ${segments} segments, ${objects} objects, ${uploads} uploads`)
      return true
    } catch (error) {
      note(() => `the sweep fails: ${messageOf(error)}`)
      return false
    }
  }

  #tools() {
    const note = (line: () => string) => this.#world.note(() => `${this.#host.name}: ${line()}`)
    return { flaws: this.#world.flaws, note }
  }

  #heed({ segment, verdict, reason }: SweepItem): void {
    if (verdict === 'alarm') this.#world.violate(`segment ${segment.segmentId} ${reason}`)
  }

  #ports(): SweepPorts {
    return {
      register: {
        segments: () => this.#all('cassandra', 'segments', () => this.#entries()),
        markSwept: (segment, sweptAtMs) =>
          this.#call('cassandra', `mark ${segment.segmentId} as swept`, () =>
            this.#world.registry.markSwept(segment, sweptAtMs),
          ),
      },
      mapping: {
        framesOfSegment: (segment) =>
          this.#all('cassandra', `rows of ${segment.segmentId}`, () => this.#frames(segment)),
      },
      marks: {
        recordPublished: (segment, atMs) =>
          this.#call('cassandra', `published ${segment.segmentId}`, () =>
            this.#world.registry.recordPublished(segment, atMs),
          ),
      },
      inventory: {
        objects: (prefix) => this.#all('s3', `objects ${prefix}`, () => this.#objects(prefix)),
        uploads: (prefix) => this.#all('s3', `uploads ${prefix}`, () => this.#uploads(prefix)),
        remove: ({ key }) =>
          this.#call('s3', `remove ${key}`, () => this.#world.bucket.remove(key)),
        abort: ({ key, uploadId }) =>
          this.#call('s3', `abort ${key}`, () => void this.#world.bucket.uploads.delete(uploadId)),
      },
      references: this.#references(),
      // Nothing is re-encrypted here, so nobody asks.
      holders: { dekOf: () => Promise.reject(new Error('asked for a holder')) },
      clock: this.#host.clock,
    }
  }

  #entries(): SegmentEntry[] {
    return [...this.#world.registry.segments.values()].map((segment) => {
      const { intent, summary, publishedAtMs, sweptAtMs } = segment
      const sealed = summary === null ? 'intended' : 'sealed'
      const unpublished = sweptAtMs === null ? sealed : 'swept'
      const state = publishedAtMs === null ? unpublished : 'published'
      const { sealedAtMs = null, messageCount = null, bytes = null } = summary ?? {}
      const written = { rowsDekId: intent.dekId, replaces: null, replaced: null, successors: [] }
      return { ...intent, ...written, state, sweptAtMs, sealedAtMs, messageCount, bytes }
    })
  }

  #frames({ segmentId }: Pick<SegmentKey, 'segmentId'>): FrameColumns[] {
    const rows = this.#world.registry.segments.get(segmentId)?.rows ?? new Map()
    const messages = [...rows].map(([place, row]) => {
      const [topic = '', partition, offset] = place.split('/')
      return { topic, partition: Number(partition), offset: Number(offset), ...row }
    })
    return messages.length === 0 ? [] : [columnsOf(messages)]
  }

  #objects(prefix: string): StoredObject[] {
    const found = [...this.#world.bucket.objects].filter(([key]) => key.startsWith(prefix))
    return found.map(([key, { bytes, modifiedAtMs }]) => {
      const one = { key, versionId: null, isDeleteMarker: false, isCurrent: true }
      return { ...one, bytes: bytes.length, modifiedAtMs }
    })
  }

  #uploads(prefix: string): OpenUpload[] {
    const found = [...this.#world.bucket.uploads].filter(([, { key }]) => key.startsWith(prefix))
    return found.map(([uploadId, { key, startedAtMs }]) => ({ key, uploadId, startedAtMs }))
  }

  /** All that is committed; nothing is certain where an open transaction hides the end. */
  #references(): ReferenceLog {
    const { kafka, scenario } = this.#world
    const places = kafka.partitions.map(({ at }) => {
      return `${at.topic}${scenario.settings.referenceTopicSuffix}/${at.partition}`
    })
    const read = async (_sinceMs: number, onValues: (values: readonly Uint8Array[]) => void) => {
      let completeSinceMs = Number.NEGATIVE_INFINITY
      for (const place of places) {
        const values = await this.#call('kafka', `read ${place}`, () => {
          const entries = kafka.transactions.output.get(place) ?? []
          const open = entries.findIndex(({ state }) => state === 'open')
          if (open >= 0) completeSinceMs = Number.POSITIVE_INFINITY
          const stable = open < 0 ? entries : entries.slice(0, open)
          return stable.filter(({ state }) => state === 'committed').map(({ value }) => value)
        })
        onValues(values)
      }
      return completeSinceMs
    }
    return { topics: [...new Set(kafka.partitions.map(({ at }) => at.topic))], read }
  }

  async *#all<T>(service: Service, what: string, list: () => T[]): AsyncGenerator<T> {
    yield* await this.#call(service, what, list)
  }

  #call<T>(service: Service, what: string, apply: () => T): Promise<T> {
    return this.#world.network.call(this.#host, service, what, apply)
  }
}
