import type { Clock } from '../clock.ts'
import { forEachOf } from '../for-each-of.ts'
import type { SegmentEntry } from '../mapping/mapping-store.ts'
import type { SegmentReplacements } from '../mapping/segment-replacements.ts'
import { leftKekOf, type ReencryptionScope } from './plan.ts'
import type { ReencryptionOrder, WorkQueue } from './work-queue.ts'

const ORDERS_AT_ONCE = 1_000
const MARKS_AT_ONCE = 8
const LOOK_EVERY_MS = 1_000

/** Whom a sharing tells how it gets on. */
export interface SharingWatch {
  /** Orders that are not done, of this job and others. */
  readonly onLeft: (left: number) => void
  /** Ends the watching; the orders stand, and those who take part go on. */
  readonly signal: AbortSignal
}

/** Where orders go, and where it is noted that they do. */
export interface SharedPlace {
  readonly queue: Pick<WorkQueue, 'offer'>
  readonly marks: Pick<SegmentReplacements, 'recordDue'>
}

/** Gives out an order for every segment. Returns how many. Throws SEAL_KAFKA_* and SEAL_MAPPING_*. */
export async function shareOut(
  { queue, marks }: SharedPlace,
  items: AsyncIterable<SegmentEntry>,
  scope: ReencryptionScope,
): Promise<number> {
  const leaving = leftKekOf(scope)
  let orders: ReencryptionOrder[] = []
  let count = 0
  const offer = async () => {
    await forEachOf(orders, MARKS_AT_ONCE, (order) => marks.recordDue(order))
    await queue.offer(orders)
    count += orders.length
    orders = []
  }
  for await (const { dekId, segmentId, rowsDekId, objectKey, createdAtMs, bytes } of items) {
    const item = { dekId, segmentId, rowsDekId, objectKey, createdAtMs }
    orders.push({ ...item, bytes: bytes ?? 0, leaving, refusals: 0 })
    if (orders.length >= ORDERS_AT_ONCE) await offer()
  }
  if (orders.length > 0) await offer()
  return count
}

/** Resolves when no orders are left, or the signal aborts. */
export async function watchSharing(
  queue: WorkQueue,
  clock: Clock,
  { onLeft, signal }: SharingWatch,
): Promise<void> {
  for (let left = await queue.left(); left > 0 && !signal.aborted; left = await queue.left()) {
    onLeft(left)
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}
