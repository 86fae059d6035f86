import type { Kafka, Producer, Transaction } from 'kafkajs'
import { systemClock } from '../../../src/clock.ts'
import { appendBatch } from '../../support/raw-producer.ts'
import type { RawRecord } from '../../support/record-batch.ts'
import { oddRecords } from '../../support/records.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import type { Ledger } from './ledger.ts'

const BATCH_MESSAGES = 50
const VALUE_BYTES_MIN = 200
const VALUE_BYTES_MAX = 1024
/** One batch in so many carries odd records too. */
const ODD_EVERY = 20
const TRANSACTION_EVERY_MS = 1_500
const TRANSACTION_MESSAGES = 20
const IN_FLIGHT_MAX = 32
const RETRY_AFTER_MS = 1_000
const CLOSED_WITHIN_MS = 300_000
/** Too large to come along every second. */
const ODD = oddRecords.filter(({ value }) => (value?.length ?? 0) < 100_000)

/** Where a load goes. */
export interface LoadTarget {
  readonly kafka: Kafka
  readonly broker: string
  readonly topics: readonly string[]
  readonly partitions: number
  /** Messages a second. */
  readonly rate: number
}

/**
 * A steady load of unique messages, written byte for byte and never twice, so that what is not
 * acknowledged stands once in Kafka or not at all. Beside it a transactional producer, half of whose
 * transactions abort.
 */
export class Load {
  readonly #target: LoadTarget
  readonly #random: SeededRandom
  readonly #ledger: Ledger
  readonly #end = new AbortController()
  readonly #work: Promise<unknown>
  #count = 0
  #inFlight = 0

  constructor(target: LoadTarget, random: SeededRandom, ledger: Ledger) {
    this.#target = target
    this.#random = random
    this.#ledger = ledger
    this.#work = Promise.all([this.#batches(), this.#transactions()])
  }

  /** Ends it. Then every partition ends with a message, and not with the marker of a transaction. */
  async close(): Promise<void> {
    this.#end.abort()
    await this.#work
    const endMs = systemClock.elapsedMs() + CLOSED_WITHIN_MS
    const { topics, partitions } = this.#target
    for (const topic of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        while (!(await this.#append({ topic, partition }, [this.#record()]))) {
          if (systemClock.elapsedMs() > endMs) throw new Error('Kafka takes no last messages')
          await systemClock.sleep(RETRY_AFTER_MS)
        }
      }
    }
  }

  async #batches(): Promise<void> {
    const startedAtMs = systemClock.elapsedMs()
    let batches = 0
    const sending = new Set<Promise<unknown>>()
    while (!this.#end.signal.aborted) {
      const dueMs = startedAtMs + (++batches * BATCH_MESSAGES * 1000) / this.#target.rate
      await systemClock.sleep(dueMs - systemClock.elapsedMs(), this.#end.signal)
      if (this.#inFlight >= IN_FLIGHT_MAX) continue
      const records = Array.from({ length: BATCH_MESSAGES }, () => this.#record())
      if (batches % ODD_EVERY === 0) records.push(...ODD.map((odd) => this.#unique(odd)))
      const sent = this.#append(this.#somewhere(), records)
      sending.add(sent)
      void sent.then(() => sending.delete(sent))
    }
    await Promise.all(sending)
  }

  /** Whether it was acknowledged. */
  async #append(
    at: { readonly topic: string; readonly partition: number },
    records: readonly RawRecord[],
  ): Promise<boolean> {
    this.#inFlight++
    try {
      const { baseOffset } = await appendBatch(this.#target.broker, at, records)
      this.#ledger.acked(at.topic, at.partition, baseOffset, records)
      return true
    } catch (error) {
      // Nobody was there to take it.
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') this.#ledger.unknown(records)
      return false
    } finally {
      this.#inFlight--
    }
  }

  async #transactions(): Promise<void> {
    let producer: Producer | null = null
    while (!this.#end.signal.aborted) {
      await systemClock.sleep(TRANSACTION_EVERY_MS, this.#end.signal)
      const records = Array.from({ length: TRANSACTION_MESSAGES }, () => this.#record())
      const isCommitted = this.#random.next() < 0.5
      try {
        producer ??= await this.#transactional()
        await this.#transact(await producer.transaction(), records, isCommitted)
      } catch {
        // Fencing by the next producer ends the transaction; how is not known here.
        this.#ledger.unknown(records)
        await producer?.disconnect().catch(() => {})
        producer = null
      }
    }
    await producer?.disconnect().catch(() => {})
  }

  async #transact(
    transaction: Transaction,
    records: readonly RawRecord[],
    isCommitted: boolean,
  ): Promise<void> {
    const { topic, partition } = this.#somewhere()
    const messages = records.map(({ key, value, timestampMs }) => ({
      ...{ key: key as Buffer, value: value as Buffer, partition },
      timestamp: String(timestampMs),
    }))
    const [sent] = await transaction.send({ topic, messages, acks: -1 })
    if (isCommitted) await transaction.commit()
    else await transaction.abort()
    if (!isCommitted) this.#ledger.aborted(records)
    else if (sent?.baseOffset === undefined) this.#ledger.unknown(records)
    else this.#ledger.acked(topic, partition, Number(sent.baseOffset), records)
  }

  async #transactional(): Promise<Producer> {
    const producer = this.#target.kafka.producer({
      ...{ transactionalId: 'chaos-load', idempotent: true, maxInFlightRequests: 1 },
      ...{ allowAutoTopicCreation: false, retry: { retries: 1 }, transactionTimeout: 10_000 },
    })
    await producer.connect()
    return producer
  }

  #somewhere(): { readonly topic: string; readonly partition: number } {
    const { topics, partitions } = this.#target
    const topic = topics[this.#random.below(topics.length)] as string
    return { topic, partition: this.#random.below(partitions) }
  }

  #record(): RawRecord {
    const bytes = this.#random.between(VALUE_BYTES_MIN, VALUE_BYTES_MAX)
    const id = `message ${this.#count++} `
    return {
      key: Buffer.from(id),
      value: Buffer.from(id.padEnd(bytes, 'sealstream ')),
      headers: [],
      timestampMs: BigInt(systemClock.nowMs()),
    }
  }

  /** The same record, told apart by a header of its own. */
  #unique(odd: RawRecord): RawRecord {
    const mark = Buffer.from(`message ${this.#count++}`)
    return { ...odd, headers: [...odd.headers, [Buffer.from('mark'), mark]] }
  }
}
