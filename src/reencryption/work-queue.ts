import { SealError } from '../errors.ts'
import { isId } from '../format/ids.ts'
import type { LeftKek } from '../keys/left-kek.ts'
import type { ReencryptionItem } from './segment-reencryption.ts'

/** One segment that some process is to re-encrypt. */
export interface ReencryptionOrder extends ReencryptionItem {
  /** Of the object; what budgets count. */
  readonly bytes: number
  readonly leaving: LeftKek | null
  /** How often it was put back by a process that lacks what it takes. */
  readonly refusals: number
}

/** How orders are taken. */
export interface TakeSettings {
  /** Orders that this process works on at a time. */
  readonly atOnce: number
  /** Ends the taking; orders under way are given up, and come to another process. */
  readonly signal: AbortSignal
}

/** Works on an order, which is done when this has resolved; with `enough` the process takes no more. */
export type OrderWork = (order: ReencryptionOrder) => Promise<'next' | 'enough'>

/**
 * Segments to be re-encrypted, shared out over all processes that take part. An order comes to some
 * process at least once, and again when that one dies over it: re-encrypting twice changes nothing.
 * Errors: SEAL_KAFKA_*.
 */
export interface WorkQueue {
  /** Durable when it resolves. */
  offer(orders: readonly ReencryptionOrder[]): Promise<void>
  /** Hands orders to `work` until that has enough or the signal aborts. */
  take(work: OrderWork, settings: TakeSettings): Promise<void>
  /** Orders that are not done, over all processes. */
  left(): Promise<number>
  /** Ends the connections. */
  close(): Promise<void>
}

/** The order as bytes of a record. */
export function encodeOrder(order: ReencryptionOrder): Buffer {
  const { dekId, segmentId, rowsDekId, objectKey, createdAtMs, bytes, leaving, refusals } = order
  const item = { dekId, segmentId, rowsDekId, objectKey, createdAtMs }
  return Buffer.from(JSON.stringify({ v: 1, ...item, bytes, leaving, refusals }))
}

/** Reads what {@link encodeOrder} wrote. Throws SEAL_MALFORMED for everything else. */
export function decodeOrder(value: Uint8Array | null): ReencryptionOrder {
  try {
    const order = JSON.parse(Buffer.from(value ?? []).toString('utf8')) as ReencryptionOrder & {
      readonly v: unknown
    }
    const { v, dekId, segmentId, rowsDekId, objectKey, createdAtMs, bytes, leaving } = order
    // Not there in orders of releases before, which put none back.
    const { refusals = 0 } = order
    const hasIds = [dekId, segmentId, rowsDekId].every((id) => typeof id === 'string' && isId(id))
    const hasNumbers = [createdAtMs, bytes, refusals].every(Number.isSafeInteger)
    const isOfSegment = typeof objectKey === 'string' && objectKey.endsWith(`/${segmentId}.seal`)
    if (v === 1 && hasIds && hasNumbers && isOfSegment && isLeftKek(leaving)) {
      return { dekId, segmentId, rowsDekId, objectKey, createdAtMs, bytes, leaving, refusals }
    }
  } catch {
    // Falls through to the one answer for what is no order.
  }
  throw new SealError('SEAL_MALFORMED', 'a record of the topic of re-encryptions is no order')
}

function isLeftKek(value: unknown): value is LeftKek | null {
  if (value === null) return true
  if (typeof value !== 'object') return false
  const { kekId, kekVersion } = value as LeftKek
  return typeof kekId === 'string' && (kekVersion === null || typeof kekVersion === 'string')
}
