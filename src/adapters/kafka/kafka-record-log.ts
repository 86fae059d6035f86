import { systemClock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import type {
  AtOpenTransaction,
  LogBounds,
  LogChunk,
  Place,
  RecordLog,
} from '../../verify/ports.ts'
import { committedRecords, offsetBehind } from './committed-records.ts'
import { unreadableError } from './fetched-records.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import type { KafkaOptions } from './kafka-client.ts'
import { kafkaError } from './kafka-errors.ts'
import { type Fetched, isOutOfRange, PlainFetcher } from './plain-fetcher.ts'

/** Whose offsets are asked for, and for how long an open transaction is waited for. */
export interface RecordLogOptions extends KafkaOptions {
  readonly groupId: string
  /** Longer than any transaction of an encryptor can stay open. */
  readonly openTransactionMsMax: number
}

const FETCH_BYTES = 2 * 1024 * 1024
/** Only empty batches fill a fetch and give no record; so many of them are taken for a fault. */
const FETCH_BYTES_MAX = 64 * 1024 * 1024

/** {@link RecordLog} over kafkajs, without a group of its own. Connect first, close at the end. */
export class KafkaRecordLog implements RecordLog {
  readonly #options: RecordLogOptions
  readonly #admin: KafkaAdmin
  readonly #fetcher: PlainFetcher

  constructor(options: RecordLogOptions) {
    this.#options = options
    this.#admin = new KafkaAdmin(options)
    this.#fetcher = new PlainFetcher(options)
  }

  async connect(): Promise<void> {
    await this.#admin.connect()
    await this.#try('connecting', () => this.#fetcher.connect())
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin.close(), this.#fetcher.close()])
  }

  async bounds(topic: string): Promise<readonly LogBounds[] | null> {
    if (!(await this.#admin.partitionCounts([topic])).has(topic)) return null
    return this.#try(`reading the offsets of ${topic}`, () => this.#fetcher.bounds(topic))
  }

  /** The first offset of every partition whose record is of `atMs` or later; else the end. */
  offsetsSince(topic: string, atMs: number): Promise<ReadonlyMap<number, number>> {
    return this.#admin.offsetsSince(topic, atMs)
  }

  isCompacted(topic: string): Promise<boolean> {
    return this.#admin.isCompacted(topic)
  }

  async committed(topic: string): Promise<ReadonlyMap<number, number>> {
    const bounds = await this.#admin.bounds(topic)
    const places = [...bounds.keys()].map((partition) => ({ topic, partition }))
    const offsets = await this.#admin.committedOffsets(this.#options.groupId, places)
    const oldest = (partition: number) => bounds.get(partition)?.low ?? 0
    return new Map(
      offsets.map(({ partition, offset }) => [partition, offset < 0 ? oldest(partition) : offset]),
    )
  }

  async *read(
    at: Place,
    from: number,
    to: number,
    atOpen: AtOpenTransaction,
  ): AsyncGenerator<LogChunk> {
    const waiting = new OpenTransaction(at, this.#options.openTransactionMsMax)
    let bytesMax = FETCH_BYTES
    let next = from
    let coming: Promise<Fetched | null> | null = null
    while (next < to) {
      const fetched: Fetched | null = await (coming ?? this.#fetch(at, next, bytesMax))
      coming = null
      if (fetched === null) {
        next = await this.#behindDeleted(at, next)
        continue
      }
      const end = offsetBehind(fetched.batches) ?? 0
      if (end > next) {
        const records = messagesOf(fetched, at, next, to)
        const chunk = { from: next, next: Math.min(end, to), records }
        next = end
        bytesMax = FETCH_BYTES
        waiting.isOver()
        if (next < to) coming = this.#ahead(at, next)
        yield chunk
      } else if (fetched.failure !== null) throw unreadableError(at, fetched.failure)
      else if (fetched.stableEnd > next) {
        bytesMax = this.#enlarged(at, next, bytesMax)
      } else if (atOpen === 'end') return
      else waiting.check(next)
    }
  }

  /** null when the offset is out of range. */
  #fetch(at: Place, offset: number, bytesMax: number): Promise<Fetched | null> {
    return this.#try(`reading ${at.topic}/${at.partition}`, async () => {
      try {
        return await this.#fetcher.fetch(at, offset, bytesMax)
      } catch (error) {
        if (isOutOfRange(error)) return null
        throw error
      }
    })
  }

  /** The next fetch, under way while this one is dealt with. Who never asks for it hears of no failure. */
  #ahead(at: Place, offset: number): Promise<Fetched | null> {
    const coming = this.#fetch(at, offset, FETCH_BYTES)
    coming.catch(() => {})
    return coming
  }

  /** Where a partition goes on whose offset was deleted by retention meanwhile. */
  async #behindDeleted(at: Place, next: number): Promise<number> {
    const { low: oldest = 0 } = (await this.#admin.bounds(at.topic)).get(at.partition) ?? {}
    if (oldest > next) return oldest
    throw new SealError(
      'SEAL_KAFKA_REFUSED',
      `${at.topic}/${at.partition} ends before offset ${next}: it was made anew or has lost records while it was read`,
    )
  }

  #enlarged(at: Place, next: number, bytesMax: number): number {
    if (bytesMax < FETCH_BYTES_MAX) return bytesMax * 2
    throw new SealError(
      'SEAL_KAFKA_REFUSED',
      `Kafka gives no record of ${at.topic}/${at.partition} from offset ${next} on`,
    )
  }

  async #try<T>(doing: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw kafkaError(error, doing, this.#options.brokers)
    }
  }
}

/** Committed messages from `from` to `to`. Our decoder has made them; what is left is where they stand. */
function messagesOf({ batches, aborted }: Fetched, at: Place, from: number, to: number) {
  const { topic, partition } = at
  return [...committedRecords(batches, aborted)]
    .filter(({ offset }) => offset >= from && offset < to)
    .map((record) => Object.assign(record, { topic, partition }))
}

/** The wait at an open transaction; fetches at its end come back after a moment with nothing. */
class OpenTransaction {
  readonly #at: Place
  readonly #msMax: number
  #sinceMs: number | null = null

  constructor({ topic, partition }: Place, msMax: number) {
    this.#at = { topic, partition }
    this.#msMax = msMax
  }

  isOver(): void {
    this.#sinceMs = null
  }

  /** Throws when it has been open for too long. */
  check(next: number): void {
    const nowMs = systemClock.elapsedMs()
    this.#sinceMs ??= nowMs
    if (nowMs - this.#sinceMs < this.#msMax) return
    const { topic, partition } = this.#at
    throw new SealError(
      'SEAL_KAFKA_UNAVAILABLE',
      `a transaction on ${topic}/${partition} has been open at offset ${next} for ${this.#msMax} ms; try again when it has ended`,
      { retryable: true },
    )
  }
}
