import { isSealError } from '../../src/errors.ts'
import type { Message } from '../../src/format/message.ts'
import {
  type BatchControl,
  type FetchedBatch,
  type LogBounds,
  type MessageSource,
  placeOf,
  type SourceHandler,
  type StartOffset,
  type TopicPartition,
} from '../../src/pipeline/message-source.ts'
import type { Beat, Membership } from './consumer-group.ts'
import type { Host } from './host.ts'
import type { Kafka } from './kafka.ts'
import type { Fetched } from './source-log.ts'
import type { World } from './world.ts'

const JOIN_MS_MAX = 20_000
const HEARTBEAT_MS = 2_500
const RESTART_AFTER_MS = 1_000
const REFETCH_AFTER_MS = 50

/** The group said that this member has to join anew. */
class Rebalance extends Error {
  readonly beat: Beat

  constructor(beat: Beat) {
    super(beat)
    this.beat = beat
  }
}

/** A batch whose messages are all there. */
interface SimBatch extends FetchedBatch {
  readonly messages: readonly Message[]
}

/**
 * The consuming client of one process: joins the group, fetches each partition by itself and hands
 * batches to the road. It learns of a rebalance by its heartbeats alone, so it may hold what is no
 * longer its own. After a rebalance positions are those that are committed then; a batch that the road
 * still holds from before is left with it.
 */
export class SimSource implements MessageSource {
  readonly clusterId = 'cluster-a'
  readonly #world: World
  readonly #kafka: Kafka
  readonly #host: Host
  #handler: SourceHandler | null = null
  #memberId: string
  #generation = 0
  /** Counts tenures: what belongs to an earlier one ends. */
  #tenure = 0
  #failures = 0
  #isStopped = false
  readonly #seeks = new Map<string, number>()
  readonly #seekCounts = new Map<string, number>()
  readonly #paused = new Set<string>()
  readonly #wakes = new Map<string, () => void>()

  constructor(world: World, host: Host) {
    this.#world = world
    this.#kafka = world.kafka
    this.#host = host
    this.#memberId = this.#newMemberId()
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
    void this.#join()
  }

  seek(at: TopicPartition, offset: number): void {
    const place = placeOf(at)
    this.#world.note(() => `${this.#host.name}: seek ${place} ${offset}`)
    this.#paused.delete(place)
    this.#seeks.set(place, offset)
    this.#seekCounts.set(place, this.#seekCountOf(place) + 1)
    this.#wakes.get(place)?.()
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const at of partitions) this.#paused.add(placeOf(at))
  }

  startOffsets(partitions: readonly TopicPartition[]): Promise<readonly StartOffset[]> {
    const read = () => partitions.map((at) => this.#kafka.startOffset(at))
    const early = this.#world.flaws.earlyOffsets(this.#host, partitions)
    return this.#world.network.call(this.#host, 'kafka', 'start offsets', () => early ?? read())
  }

  /** No topic of the world is ever deleted. */
  async confirm(): Promise<void> {}

  logBounds(at: TopicPartition): Promise<LogBounds> {
    const read = () => {
      const { startOffset, endOffset } = this.#kafka.partition(at)
      return { oldest: startOffset, end: endOffset }
    }
    return this.#world.network.call(this.#host, 'kafka', 'log bounds', read)
  }

  /** The world leaves zombies to fencing, which must do without this. */
  isMember(): boolean {
    return true
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#tenure++
    const leave = () => this.#kafka.group.leave(this.#memberId)
    await this.#world.network.call(this.#host, 'kafka', 'leave', leave).catch(() => {})
  }

  #newMemberId(): string {
    return `${this.#world.random.int(0, 0xffff).toString(16)}-${this.#host.name}`
  }

  async #join(): Promise<void> {
    const tenure = ++this.#tenure
    try {
      const memberId = this.#memberId
      const { generation, partitions } = await this.#world.network.ask<Membership>(
        this.#host,
        'kafka',
        'join',
        (answer) => this.#kafka.group.join(memberId, (given) => answer(() => given)),
        JOIN_MS_MAX,
      )
      if (tenure !== this.#tenure) return
      this.#generation = generation
      this.#failures = 0
      this.#handler?.onAssigned(partitions)
      const read = () => partitions.map((at) => this.#kafka.startOffset(at))
      const offsets = await this.#world.network.call(this.#host, 'kafka', 'offsets', read)
      if (tenure !== this.#tenure) return
      for (const [i, at] of partitions.entries()) {
        this.#consume(tenure, at, (offsets[i] as StartOffset).offset).catch((error) =>
          this.#over(tenure, error),
        )
      }
      await this.#beatOn(tenure)
    } catch (error) {
      this.#over(tenure, error)
    }
  }

  async #beatOn(tenure: number): Promise<void> {
    while (tenure === this.#tenure) {
      await this.#host.clock.sleep(HEARTBEAT_MS)
      if (tenure === this.#tenure) await this.#beat()
    }
  }

  async #beat(): Promise<void> {
    const [memberId, generation] = [this.#memberId, this.#generation]
    const ask = () => this.#kafka.group.beat(memberId, generation)
    const beat = await this.#world.network.call(this.#host, 'kafka', 'heartbeat', ask)
    if (beat !== 'ok') throw new Rebalance(beat)
  }

  /** A tenure has ended: by a rebalance, because Kafka does not answer, or with a failure of the road. */
  #over(tenure: number, error: unknown): void {
    if (tenure !== this.#tenure || this.#isStopped) return
    this.#tenure++
    if (error instanceof Rebalance) {
      if (error.beat === 'unknown') this.#memberId = this.#newMemberId()
      void this.#join()
      return
    }
    if (!isSealError(error, 'SEAL_KAFKA_UNAVAILABLE')) {
      this.#handler?.onFailure(error)
      return
    }
    this.#handler?.onInterrupted(error, ++this.#failures)
    this.#memberId = this.#newMemberId()
    this.#host.clock.sleep(RESTART_AFTER_MS).then(() => {
      if (!this.#isStopped) void this.#join()
    })
  }

  async #consume(tenure: number, at: TopicPartition, from: number): Promise<void> {
    const place = placeOf(at)
    const partition = this.#kafka.partition(at)
    let position = from
    const isOver = () => tenure !== this.#tenure
    while (!isOver()) {
      if (this.#paused.has(place)) {
        await new Promise<void>((resolve) => this.#wakes.set(place, resolve))
        continue
      }
      position = this.#seeks.get(place) ?? position
      this.#seeks.delete(place)
      const countMax = this.#world.scenario.fetchMax
      const fetched = await this.#world.network.call(this.#host, 'kafka', `fetch ${place}`, () =>
        partition.fetch(position, countMax),
      )
      if (isOver()) return
      if (this.#seeks.has(place) || this.#paused.has(place)) continue
      if (fetched.records.length === 0) {
        position = fetched.fetchedOffset
        await this.#more(place, () => partition.endOffset > position)
        continue
      }
      const batch = this.#batchOf(at, fetched)
      const isPassedOver = batch.messages.length === 0 && !this.#world.scenario.givesEmptyBatches
      const isTaken = isPassedOver || (await this.#hand(tenure, batch))
      if (isTaken) position = batch.nextOffset
      else if (!isOver()) await this.#host.clock.sleep(REFETCH_AFTER_MS)
    }
  }

  #hand(tenure: number, batch: SimBatch): Promise<boolean> {
    const place = placeOf(batch)
    const seekCount = this.#seekCountOf(place)
    const { flaws } = this.#world
    const control: BatchControl = {
      isStale: () => !flaws.on.takesStaleBatches && seekCount !== this.#seekCountOf(place),
      heartbeat: () => (tenure === this.#tenure ? this.#beat() : Promise.resolve()),
      // Whoever reads on finds nothing, and what it then leaves out is missed at the end.
      letGo: () => void (batch.messages as Message[]).splice(0),
    }
    this.#world.note(
      () =>
        `${this.#host.name}: batch ${place} ${batch.fetchedOffset}..${batch.nextOffset - 1} (${batch.messages.length})`,
    )
    return this.#handler?.onBatch(batch, control) ?? Promise.resolve(false)
  }

  #batchOf(at: TopicPartition, { fetchedOffset, records }: Fetched): SimBatch {
    const messages = records.map(({ message }) => message).filter((one): one is Message => !!one)
    const nextOffset = (records.at(-1)?.offset ?? fetchedOffset) + 1
    return { ...at, messages, fetchedOffset, nextOffset }
  }

  /** Resolves when there is more to fetch, or somebody seeks. */
  #more(place: string, isThere: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#wakes.set(place, resolve)
      if (isThere()) resolve()
      else this.#kafka.whenAppended(place, () => this.#host.deliver(resolve))
    })
  }

  #seekCountOf(place: string): number {
    return this.#seekCounts.get(place) ?? 0
  }
}
