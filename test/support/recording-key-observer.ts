import type { NewOrders } from '../../src/keys/kek-follower.ts'
import type { KekOrder } from '../../src/keys/kek-orders.ts'
import type { KeyObserver } from '../../src/keys/key-observer.ts'

/** Remembers how the keeping of keys fared. */
export class RecordingKeyObserver implements KeyObserver {
  unwritten = 0
  lost = 0
  reads = 0
  readonly failed: unknown[] = []
  /** Sequences of KEK orders, as they were taken over. */
  readonly orders: number[] = []
  refusedOrders: readonly number[] = []
  readonly rotated: [requestId: string, reason: string, retired: number][] = []

  keyEventsUnwritten(count: number): void {
    this.unwritten = count
  }

  keyEventsLost(count: number): void {
    this.lost += count
  }

  keyDeskRead(): void {
    this.reads++
  }

  keyRecordsFailed(_what: string, error: unknown): void {
    this.failed.push(error)
  }

  kekOrderTaken({ sequence }: KekOrder): void {
    this.orders.push(sequence)
  }

  kekOrdersRefused(refused: NewOrders['refused']): void {
    this.refusedOrders = refused.map(({ order }) => order.sequence)
  }

  keysRotated(requestId: string, reason: string, retired: number): void {
    this.rotated.push([requestId, reason, retired])
  }
}
