import { beforeEach, describe, expect, it } from 'vitest'
import { InFlightBudget } from '../../../src/pipeline/in-flight-budget.ts'
import { MemoryGuard } from '../../../src/pipeline/memory-guard.ts'
import { RecordingObserver } from '../../support/recording-observer.ts'

const CEILING = 1_000
let rssBytes: number
let givenBack: number
let budget: InFlightBudget
let observer: RecordingObserver
let guard: MemoryGuard

beforeEach(() => {
  givenBack = 0
  budget = new InFlightBudget(100, () => {})
  observer = new RecordingObserver()
  const memory = { rssBytes: () => rssBytes, giveBack: () => void givenBack++ }
  guard = new MemoryGuard(memory, CEILING, budget, observer)
})

function look(at: number): void {
  rssBytes = at
  guard.look()
}

describe('the memory guard', () => {
  it('lets the budget alone below nine tenths of the ceiling', () => {
    look(899)
    expect(budget.take(10)).toBeNull()
    expect(budget.take(90)).toBeNull()
    expect(givenBack).toBe(0)
  })

  it('holds the reading from there on, until memory has come down well below', async () => {
    expect(budget.take(10)).toBeNull()
    look(900)
    const waiting = budget.take(10)
    expect(waiting).not.toBeNull()
    look(850)
    expect(budget.bytes).toBe(10)
    look(849)
    await waiting
    expect(budget.bytes).toBe(20)
  })

  it('never lets the road stand still: what comes when nothing is in flight is admitted', async () => {
    look(2_000)
    expect(budget.take(10)).toBeNull()
    const waiting = budget.take(20)
    expect(waiting).not.toBeNull()
    budget.release(10)
    await waiting
    expect(budget.bytes).toBe(20)
  })

  it('gives back what is unused when it begins to hold, and now and then while it does', () => {
    for (const _ of [1, 2, 3, 4]) look(950)
    expect(givenBack).toBe(1)
    look(950)
    expect(givenBack).toBe(2)
    look(100)
    look(950)
    expect(givenBack).toBe(3)
  })

  it('tells how things stand at every look', () => {
    look(900)
    look(10)
    expect(observer.of('memory')).toEqual([
      [{ rssBytes: 900, bytesMax: CEILING, isHeld: true }],
      [{ rssBytes: 10, bytesMax: CEILING, isHeld: false }],
    ])
  })
})
