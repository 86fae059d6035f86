import {
  decodeOrder,
  encodeOrder,
  type OrderWork,
  type ReencryptionOrder,
  type TakeSettings,
  type WorkQueue,
} from '../../src/reencryption/work-queue.ts'

/** A queue of work in memory; the same contract suite runs against it and over Kafka. */
export class MemoryWorkQueue implements WorkQueue {
  readonly #waiting: Buffer[] = []
  #underWay = 0

  async offer(orders: readonly ReencryptionOrder[]): Promise<void> {
    this.#waiting.push(...orders.map(encodeOrder))
  }

  async take(work: OrderWork, { atOnce, signal }: TakeSettings): Promise<void> {
    let isEnough = false
    const run = async () => {
      while (!signal.aborted && !isEnough) {
        const bytes = this.#waiting.shift()
        if (bytes !== undefined) isEnough ||= await this.#workOn(bytes, work, signal)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await Promise.all(Array.from({ length: atOnce }, run))
  }

  async left(): Promise<number> {
    return this.#waiting.length + this.#underWay
  }

  async close(): Promise<void> {}

  async #workOn(bytes: Buffer, work: OrderWork, signal: AbortSignal): Promise<boolean> {
    this.#underWay++
    try {
      const taken = await work(decodeOrder(bytes))
      if (signal.aborted) this.#waiting.unshift(bytes)
      return taken === 'enough'
    } finally {
      this.#underWay--
    }
  }
}
