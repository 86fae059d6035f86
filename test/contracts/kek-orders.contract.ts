import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { KekOrderLog, NewKekOrder } from '../../src/keys/kek-orders.ts'

/** An order for everything. */
export function newKekOrder(changes: Partial<NewKekOrder> = {}): NewKekOrder {
  return {
    ...{ orderId: randomUUID(), placedAtMs: Date.UTC(2026, 2, 4, 23, 59, 59, 500) },
    ...{ actor: 'alice@ops-7', reason: 'yearly', keyDomain: null, fromKekId: null },
    ...{ toKekId: 'arn:aws:kms:eu-west-1:111122223333:key/new', isContained: false },
    ...changes,
  }
}

/** What every log of KEK orders keeps to. `log` is called inside the tests. */
export function kekOrdersContract(log: () => KekOrderLog): void {
  const newest = async () => (await log().orders(0)).at(-1)?.sequence ?? 0

  test('an order is found as it was given, by those who know the ones before', async () => {
    const before = await newest()
    const orders = [
      newKekOrder(),
      newKekOrder({ keyDomain: 'orders', fromKekId: 'old', isContained: true }),
      // A clock that went back decides nothing.
      newKekOrder({ toKekId: null, placedAtMs: 0 }),
    ]
    const placed = []
    for (const order of orders) placed.push(await log().append(order))
    expect(placed.map(({ sequence }) => sequence)).toEqual([before + 1, before + 2, before + 3])
    expect(placed).toEqual(orders.map((order, i) => ({ ...order, sequence: before + 1 + i })))
    expect(await log().orders(before)).toEqual(placed)
    expect(await log().orders(before + 2)).toEqual(placed.slice(2))
    expect(await log().orders(before + 3)).toEqual([])
  })

  test('an order that is given twice stands once', async () => {
    const order = newKekOrder()
    const placed = await log().append(order)
    expect(await log().append(order)).toEqual(placed)
    expect(await newest()).toBe(placed.sequence)
  })

  test('orders given at the same moment all stand, one behind the other', async () => {
    const before = await newest()
    const orders = Array.from({ length: 5 }, (_, i) => newKekOrder({ actor: `operator ${i}` }))
    const placed = await Promise.all(orders.map((order) => log().append(order)))
    const found = await log().orders(before)
    expect(found.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5].map((n) => before + n))
    expect(new Set(found.map(({ actor }) => actor)).size).toBe(5)
    expect(placed.toSorted((a, b) => a.sequence - b.sequence)).toEqual(found)
  })

  test('a KEK that was retired stays so, with the first reason, and versions stand for themselves', async () => {
    const kek = { kekId: `kek-${randomUUID()}`, kekVersion: null, atMs: 1_000, actor: 'a@b' }
    await log().retire({ ...kek, reason: 'leaked' })
    await log().retire({ ...kek, kekVersion: '3', reason: 'version 3' })
    await log().retire({ ...kek, atMs: 2_000, reason: 'again' })
    const found = (await log().retired()).filter(({ kekId }) => kekId === kek.kekId)
    expect(found).toHaveLength(2)
    expect(found).toEqual(
      expect.arrayContaining([
        { ...kek, reason: 'leaked' },
        { ...kek, kekVersion: '3', reason: 'version 3' },
      ]),
    )
  })
}
