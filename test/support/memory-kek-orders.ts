import type { KekOrder, KekOrderLog, NewKekOrder, RetiredKek } from '../../src/keys/kek-orders.ts'

/** KEK orders in memory, held to the same contract as those over Cassandra. */
export class MemoryKekOrders implements KekOrderLog {
  readonly all: KekOrder[] = []
  readonly ended: RetiredKek[] = []
  /** Thrown by the calls to come, one each. */
  readonly failures: Error[] = []

  async orders(after: number): Promise<readonly KekOrder[]> {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    return this.all.filter(({ sequence }) => sequence > after)
  }

  async append(order: NewKekOrder): Promise<KekOrder> {
    const known = this.all.find(({ orderId }) => orderId === order.orderId)
    if (known !== undefined) return known
    const placed = { ...structuredClone(order), sequence: this.all.length + 1 }
    this.all.push(placed)
    return placed
  }

  async retired(): Promise<readonly RetiredKek[]> {
    return [...this.ended]
  }

  async retire(kek: RetiredKek): Promise<void> {
    const isKnown = this.ended.some(
      ({ kekId, kekVersion }) => kekId === kek.kekId && kekVersion === kek.kekVersion,
    )
    if (!isKnown) this.ended.push(structuredClone(kek))
  }
}
