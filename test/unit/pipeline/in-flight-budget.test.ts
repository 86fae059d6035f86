import { beforeEach, describe, expect, it } from 'vitest'
import { InFlightBudget } from '../../../src/pipeline/in-flight-budget.ts'

let fills: number[]
let budget: InFlightBudget
/** Names of waiters in the order in which they were admitted. */
let admitted: string[]

beforeEach(() => {
  fills = []
  admitted = []
  budget = new InFlightBudget(100, (bytes) => fills.push(bytes))
})

function wait(name: string, bytes: number): void {
  const waiting = budget.take(bytes)
  expect(waiting).not.toBeNull()
  waiting?.then(() => admitted.push(name))
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('the in-flight budget', () => {
  it('admits without a wait what fits, to the last byte', () => {
    expect(budget.take(60)).toBeNull()
    expect(budget.take(40)).toBeNull()
    expect(budget.bytes).toBe(100)
    expect(fills).toEqual([60, 100])
  })

  it('lets wait what does not fit, until enough was given back', async () => {
    budget.take(80)
    wait('a', 30)
    budget.release(5)
    await settle()
    expect(admitted).toEqual([])
    budget.release(5)
    await settle()
    expect(admitted).toEqual(['a'])
    expect(budget.bytes).toBe(100)
  })

  it('serves who came first, though a later one would fit already', async () => {
    budget.take(90)
    wait('large', 50)
    wait('small', 5)
    await settle()
    expect(admitted).toEqual([])
    budget.release(90)
    await settle()
    expect(admitted).toEqual(['large', 'small'])
    expect(budget.bytes).toBe(55)
  })

  it('admits more than the whole budget when nothing else is in flight', async () => {
    expect(budget.take(500)).toBeNull()
    wait('a', 300)
    wait('b', 1)
    budget.release(500)
    await settle()
    expect(admitted).toEqual(['a'])
    budget.release(300)
    await settle()
    expect(admitted).toEqual(['a', 'b'])
  })

  it('tells every change of the fill, and comes back to nothing', async () => {
    budget.take(100)
    wait('a', 40)
    budget.release(100)
    budget.release(40)
    expect(fills).toEqual([100, 0, 40, 0])
  })
})
