import { describe, expect, test } from 'vitest'
import { readAhead } from '../../../src/incident/read-ahead.ts'
import { all } from '../../contracts/mapping-store.contract.ts'

async function* numbers(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('reading ahead', () => {
  test('keeps the order of the items, whichever is faster', async () => {
    const open = async function* (item: number) {
      for (let i = 0; i < item % 4; i++) {
        for (let pause = item % 3; pause > 0; pause--) await tick()
        yield `${item}.${i}`
      }
    }
    const expected = Array.from({ length: 50 }, (_, item) =>
      Array.from({ length: item % 4 }, (_, i) => `${item}.${i}`),
    ).flat()
    for (const limits of [
      { width: 1, held: 1 },
      { width: 4, held: 1 },
      { width: 16, held: 3 },
    ]) {
      expect(await all(readAhead(numbers(50), open, limits))).toEqual(expected)
    }
  })

  test('opens no more items than its width, and holds no more of each than it may', async () => {
    let opened = 0
    let given = 0
    const open = async function* () {
      opened++
      for (let i = 0; i < 100; i++) {
        given++
        yield i
      }
    }
    const items = readAhead(numbers(100), open, { width: 4, held: 5 })
    await items.next()
    for (let i = 0; i < 50; i++) await tick()
    expect(opened).toBe(4)
    // The first item is drained by its reader, and has read on since.
    expect(given).toBeLessThanOrEqual(5 * 5)
    await items.return(undefined)
  })

  test('tells a failure when its turn comes, and closes what is open', async () => {
    const closed: number[] = []
    const open = async function* (item: number) {
      try {
        yield item
        if (item === 2) throw new Error('broken')
        await tick()
        yield item
      } finally {
        closed.push(item)
      }
    }
    const seen: number[] = []
    const reading = async () => {
      for await (const item of readAhead(numbers(9), open, { width: 5, held: 1 })) seen.push(item)
    }
    await expect(reading()).rejects.toThrow('broken')
    expect(seen).toEqual([0, 0, 1, 1, 2])
    expect(closed.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  test('that is left early closes what is open', async () => {
    let open = 0
    const opening = async function* () {
      open++
      try {
        for (;;) yield 0
      } finally {
        open--
      }
    }
    for await (const _ of readAhead(numbers(9), opening, { width: 3, held: 2 })) break
    expect(open).toBe(0)
  })
})
