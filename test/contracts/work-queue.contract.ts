import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReencryptionOrder, WorkQueue } from '../../src/reencryption/work-queue.ts'

/** Opens another connection to the queue that a test began with. */
export type OpenQueue = () => WorkQueue

/** An order for a segment that nobody else names. */
export function newOrder(over: Partial<ReencryptionOrder> = {}): ReencryptionOrder {
  const [dekId, segmentId] = [randomUUID(), randomUUID()]
  const objectKey = `sealed/segments/orders/2026/01/02/03/${segmentId}.seal`
  const place = { dekId, segmentId, rowsDekId: dekId, objectKey, createdAtMs: 1_767_000_000_000 }
  return { ...place, bytes: 1_000, leaving: null, refusals: 0, ...over }
}

/** What every {@link WorkQueue} does. `begin` is called before each test, for a queue of its own. */
export function workQueueContract(name: string, begin: () => OpenQueue): void {
  describe(`${name} as a queue of work`, () => {
    let open: OpenQueue
    let queue: WorkQueue
    const others: WorkQueue[] = []
    const newTaker = () => {
      const taker = open()
      others.push(taker)
      return taker
    }
    beforeEach(() => {
      open = begin()
      queue = open()
    })
    afterEach(async () => {
      await Promise.all([queue, ...others.splice(0)].map((one) => one.close()))
    })

    /** Takes until so many orders are done, and returns them in their order. */
    async function takeSome(taker: WorkQueue, count: number): Promise<ReencryptionOrder[]> {
      const stop = new AbortController()
      const done: ReencryptionOrder[] = []
      const work = async (order: ReencryptionOrder) => {
        done.push(order)
        if (done.length === count) setImmediate(() => stop.abort())
        return 'next' as const
      }
      await taker.take(work, { atOnce: 4, signal: stop.signal })
      return done
    }
    const idsOf = (orders: readonly ReencryptionOrder[]) =>
      orders.map(({ segmentId }) => segmentId).sort()

    it('hands out what was offered, as it was, and counts what is left', async () => {
      const leaving = { kekId: 'arn:aws:kms:eu-west-1:1:key/a', kekVersion: '3' }
      const orders = [newOrder({ leaving }), ...Array.from({ length: 30 }, () => newOrder())]
      expect(await queue.left()).toBe(0)
      await queue.offer(orders.slice(0, 20))
      await queue.offer(orders.slice(20))
      expect(await queue.left()).toBe(31)
      const done = await takeSome(newTaker(), 31)
      expect(idsOf(done)).toEqual(idsOf(orders))
      expect(done).toContainEqual(orders[0])
      expect(await queue.left()).toBeLessThanOrEqual(4)
    })

    it('gives an order whose process gave up to another one', async () => {
      const order = newOrder()
      await queue.offer([order])
      const stop = new AbortController()
      const begun = Promise.withResolvers<void>()
      const giveUp = async () => {
        begun.resolve()
        stop.abort()
        return 'next' as const
      }
      const first = newTaker().take(giveUp, { atOnce: 1, signal: stop.signal })
      await begun.promise
      await first
      expect(await queue.left()).toBe(1)
      expect(await takeSome(newTaker(), 1)).toEqual([order])
    })

    it('gives no more to a process that has enough, and counts what that has done', async () => {
      await queue.offer(Array.from({ length: 6 }, () => newOrder()))
      const signal = AbortSignal.timeout(20_000)
      await newTaker().take(async () => 'enough', { atOnce: 1, signal })
      expect(signal.aborted).toBe(false)
      expect(await queue.left()).toBe(5)
    })

    it('has nothing to give where nothing was offered', async () => {
      const signal = AbortSignal.timeout(300)
      await newTaker().take(() => Promise.reject(new Error('handed out')), { atOnce: 1, signal })
      expect(await queue.left()).toBe(0)
    })
  })
}
