import { appendBatch } from '../support/raw-producer.ts'

/** What is produced: so many messages of one size, each known by its place. */
export interface LoadPlan {
  readonly topic: string
  readonly partitions: number
  readonly messagesPerPartition: number
  readonly valueBytes: number
}

/** Large enough that no two messages near each other are alike. */
const PATTERN_BYTES = 4 * 1024 * 1024
const PLACE_BYTES = 16
const BATCH_BYTES = 512 * 1024
/** Steps through the pattern; odd, so that it comes by every byte. */
const STRIDE = 1_000_003

/** Messages whose every byte follows from their place, so that nothing has to be remembered. */
export class NumberedLoad {
  readonly #plan: LoadPlan
  readonly #pattern: Buffer

  constructor(plan: LoadPlan) {
    this.#plan = plan
    this.#pattern = Buffer.alloc(PATTERN_BYTES + plan.valueBytes)
    // xorshift32: fast, and the same on every machine.
    let state = 0x9e3779b9
    for (let i = 0; i + 4 <= this.#pattern.length; i += 4) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      this.#pattern.writeInt32LE(state | 0, i)
    }
  }

  get messages(): number {
    return this.#plan.partitions * this.#plan.messagesPerPartition
  }

  get bytes(): number {
    return this.messages * this.#plan.valueBytes
  }

  /** The value of the message at this place. */
  valueAt(partition: number, offset: number): Buffer {
    const from = ((partition * 7_919 + offset) * STRIDE) % PATTERN_BYTES
    const value = Buffer.from(this.#pattern.subarray(from, from + this.#plan.valueBytes))
    value.writeBigUInt64BE(BigInt(partition), 0)
    value.writeBigUInt64BE(BigInt(offset), PLACE_BYTES / 2)
    return value
  }

  /** Appends everything; `onAppended` hears of every batch. */
  async produce(broker: string, onAppended: (bytes: number) => void): Promise<void> {
    const { topic, partitions, messagesPerPartition, valueBytes } = this.#plan
    const atOnce = Math.max(1, Math.floor(BATCH_BYTES / valueBytes))
    for (let first = 0; first < messagesPerPartition; first += atOnce) {
      const count = Math.min(atOnce, messagesPerPartition - first)
      const appends = Array.from({ length: partitions }, (_, partition) => {
        const records = Array.from({ length: count }, (_, i) => ({
          ...{ key: null, value: this.valueAt(partition, first + i), headers: [] },
          timestampMs: BigInt(Date.now()),
        }))
        return appendBatch(broker, { topic, partition }, records)
      })
      for (const [partition, { baseOffset }] of (await Promise.all(appends)).entries()) {
        if (baseOffset !== first) {
          throw new Error(`partition ${partition} has other messages: ${baseOffset} for ${first}`)
        }
      }
      onAppended(count * partitions * valueBytes)
    }
  }
}
