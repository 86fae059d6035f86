import { isSealError } from '../../errors.ts'
import type { CassandraConnection, CqlStatement } from './connection.ts'

/** A small write and the partition that it goes to, by any name that is the partition's alone. */
export interface PartitionWrite {
  readonly partition: string
  readonly statement: CqlStatement
}

/** What was handed over together, and is answered together. */
interface Call {
  readonly done: PromiseWithResolvers<void>
  left: number
  /** The first failure of its writes. */
  failure: { readonly error: unknown } | null
}

interface Entry extends PartitionWrite {
  readonly call: Call
}

/** A node warns of batches over more than 10 partitions, and of more than 5 KiB, which so many as a rule have not. */
const PARTITIONS_PER_BATCH = 8
const STATEMENTS_PER_BATCH = 32

/** Enough that a batch need not wait for the answer to another; with more there is less to gather. */
const BATCHES_UNDER_WAY_MAX = 4

/**
 * Small writes in few requests: what is handed over in one go, or while earlier batches are under way,
 * goes out in unlogged batches that a node as a rule takes without a warning. A request costs a node some twenty
 * times what the row in it does. Writes must bear being repeated.
 */
export class GatheredWrites {
  readonly #connection: Pick<CassandraConnection, 'batch' | 'execute'>
  readonly #waiting: Entry[] = []
  #underWay = 0
  #isScheduled = false

  /** The connection stays the caller's to close. */
  constructor(connection: Pick<CassandraConnection, 'batch' | 'execute'>) {
    this.#connection = connection
  }

  /**
   * Resolves when all of `writes` are durable; rejects with the first failure once none of them is under
   * way any more. What others are refused for does not fail them. Errors: as the connection's.
   */
  write(writes: readonly PartitionWrite[]): Promise<void> {
    if (writes.length === 0) return Promise.resolve()
    const call = { done: Promise.withResolvers<void>(), left: writes.length, failure: null }
    for (const write of writes) this.#waiting.push({ ...write, call })
    this.#schedule()
    return call.done.promise
  }

  /** Once whatever runs now had its turn, which may have more to hand over. */
  #schedule(): void {
    if (this.#isScheduled || this.#underWay >= BATCHES_UNDER_WAY_MAX) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      while (this.#waiting.length > 0 && this.#underWay < BATCHES_UNDER_WAY_MAX) {
        this.#underWay++
        void this.#send(this.#next()).then(() => {
          this.#underWay--
          if (this.#waiting.length > 0) this.#schedule()
        })
      }
    })
  }

  #next(): Entry[] {
    const partitions = new Set<string>()
    let count = 0
    for (const { partition } of this.#waiting) {
      partitions.add(partition)
      if (partitions.size > PARTITIONS_PER_BATCH || count === STATEMENTS_PER_BATCH) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    try {
      await this.#request(entries)
      for (const { call } of entries) settle(call)
    } catch (error) {
      const byCall = Map.groupBy(entries, ({ call }) => call)
      const isRefused = !isSealError(error) || !error.retryable
      // The node does not say which of them it refuses.
      if (isRefused && byCall.size > 1)
        await Promise.all([...byCall.values()].map((own) => this.#send(own)))
      else for (const { call } of entries) settle(call, { error })
    }
  }

  async #request(entries: readonly Entry[]): Promise<void> {
    const [first, ...others] = entries.map(({ statement }) => statement)
    if (first === undefined) return
    if (others.length > 0) return this.#connection.batch([first, ...others])
    await this.#connection.execute(first.query, first.params)
  }
}

function settle(call: Call, failure: Call['failure'] = null): void {
  call.failure ??= failure
  if (--call.left > 0) return
  if (call.failure === null) call.done.resolve()
  else call.done.reject(call.failure.error)
}
