import { isSealError } from '../../src/errors.ts'
import { placeOf } from '../../src/pipeline/message-source.ts'
import {
  type LanePublisher,
  type Publication,
  type ReferenceSink,
  tooLate,
} from '../../src/pipeline/reference-sink.ts'
import type { Host } from './host.ts'
import { unavailable } from './network.ts'
import { ConcurrentTransactions, type ProducerId } from './transactions.ts'
import type { World } from './world.ts'

const TRIES_MAX = 60
const TRY_AGAIN_MS = 20

/** The producing client of one process: one request after the other, by the rules of the product's own. */
export class SimSink implements ReferenceSink {
  readonly #world: World
  readonly #host: Host

  constructor(world: World, host: Host) {
    this.#world = world
    this.#host = host
  }

  async openLane(lane: number): Promise<LanePublisher> {
    const { kafka, flaws } = this.#world
    const transactionalId = `lane-${lane}`
    flaws.readEarlyOffsets(this.#host, kafka)
    const init = () =>
      flaws.on.opensWithoutFencing
        ? kafka.transactions.current(transactionalId)
        : kafka.transactions.init(transactionalId)
    const producer = await this.#patiently(() => this.#call(`open lane ${lane}`, init))
    return {
      publish: (...asked) => this.#publish(producer, ...asked),
      close: async () => {},
    }
  }

  async #publish(
    producer: ProducerId,
    publication: Publication,
    isInTime: () => boolean,
  ): Promise<void> {
    const { transactions } = this.#world.kafka
    const { transactionalId } = producer
    const places = publication.records.map(placeOf)
    const records = this.#world.flaws.reordered(publication.records)
    await this.#patiently(() =>
      this.#call(`${transactionalId} add partitions`, () =>
        transactions.addPartitions(producer, places),
      ),
    )
    for (const one of records) {
      await this.#call(
        `${transactionalId} produce ${placeOf(one)} (${one.runs.reduce((sum, { count }) => sum + count, 0)})`,
        () => transactions.produce(producer, one),
      )
    }
    await this.#onlyOnce(() =>
      this.#call(`${transactionalId} add offsets`, () => transactions.addOffsets(producer)),
    )
    const offsets = publication.offsets.map((row) => ({ ...row }))
    const named = () => offsets.map((row) => `${placeOf(row)} ${row.nextOffset}`).join(', ')
    await this.#call(`${transactionalId} commit offsets`, () => {
      this.#world.note(() => `kafka: ${transactionalId} offsets ${named()}`)
      transactions.commitOffsets(producer, offsets)
    })
    if (!isInTime()) throw tooLate()
    await this.#end(producer)
  }

  async #end(producer: ProducerId): Promise<void> {
    const { flaws, kafka } = this.#world
    const end = () =>
      this.#call(`${producer.transactionalId} end`, () => kafka.transactions.end(producer, true))
    for (let tries = 1; ; tries++) {
      try {
        return await this.#onlyOnce(end)
      } catch (error) {
        const isUnknown = isSealError(error, 'SEAL_KAFKA_UNAVAILABLE')
        if (!flaws.on.endsAgain || !isUnknown || tries >= 5) throw error
      }
    }
  }

  /** Only the first request of a transaction may meet the end of the one before. */
  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof ConcurrentTransactions)) throw error
        if (tries >= TRIES_MAX) throw unavailable('kafka', 'concurrent transactions')
        await this.#host.clock.sleep(TRY_AGAIN_MS)
      }
    }
  }

  /** As the product's client has it, what comes too soon in the midst of a transaction has failed. */
  async #onlyOnce<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof ConcurrentTransactions)) throw error
      throw unavailable('kafka', 'concurrent transactions')
    }
  }

  #call<T>(what: string, apply: () => T): Promise<T> {
    return this.#world.network.call(this.#host, 'kafka', what, apply)
  }
}
