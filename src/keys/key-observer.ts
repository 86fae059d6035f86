import type { NewOrders } from './kek-follower.ts'
import type { KekOrder } from './kek-orders.ts'

/** Hears how the keeping of key events and the key desk fare. Calls are cheap and never throw. */
export interface KeyObserver {
  /** Key events that are not durable yet. */
  keyEventsUnwritten(count: number): void
  /** Key events that are lost for good: the queue was full, or the process ended before Cassandra answered. */
  keyEventsLost(count: number): void
  /** The desk was read: what operators asked until now is known here. */
  keyDeskRead(): void
  /** Events or the desk cannot be reached; it is tried again. */
  keyRecordsFailed(what: 'key events' | 'key desk', error: unknown): void
  /** DEKs were retired because an operator asked. */
  keysRotated(requestId: string, reason: string, retired: number): void
  /** From now on new DEKs are made as this order says, and as those before it. */
  kekOrderTaken(order: KekOrder): void
  /** The orders that cannot be taken over now, none among them; told at every look. */
  kekOrdersRefused(refused: NewOrders['refused']): void
}
