import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { Dek } from '../../../src/keys/dek.ts'
import { DekWindows, type WindowLimits } from '../../../src/keys/dek-windows.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const WIDE: WindowLimits = { ageMs: 1_000, messagesMax: 1_000, bytesMax: 1_000 }
const SEGMENT_ID = '5ea15eed-0000-4000-8000-0000000000e1'

let clock: ManualClock
/** Domains for which a DEK was asked for. */
let asked: string[]
let failures: Error[]

beforeEach(() => {
  clock = new ManualClock()
  asked = []
  failures = []
})

function windowsWith(limits: Partial<WindowLimits> = {}): DekWindows {
  const createDek = async (keyDomain: string) => {
    asked.push(keyDomain)
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    const record = { dekId: randomUUID(), keyDomain, kekId: 'kek', kekVersion: null }
    return new Dek({ ...record, wrapped: Buffer.from('w'), createdAtMs: 0 }, Buffer.alloc(32, 1))
  }
  return new DekWindows(createDek, { ...WIDE, ...limits }, clock)
}

const isDead = (dek: Dek) => {
  try {
    dek.newSegment(SEGMENT_ID, 0)
    return false
  } catch {
    return true
  }
}

describe('a window', () => {
  it('is kept as long as there is room, and each domain has its own', async () => {
    const windows = windowsWith()
    const first = await windows.take('orders', 1)
    expect(await windows.take('orders', 1)).toBe(first)
    expect(await windows.take('payments', 1)).not.toBe(first)
    expect(asked).toEqual(['orders', 'payments'])
  })

  it('turns when its age is reached, not before', async () => {
    const windows = windowsWith()
    const first = await windows.take('orders', 1)
    clock.advance(999)
    expect(await windows.take('orders', 1)).toBe(first)
    clock.advance(1)
    const second = await windows.take('orders', 1)
    expect(second.dek.record.dekId).not.toBe(first.dek.record.dekId)
    expect(second.endsAtMs).toBe(clock.elapsedMs() + 1_000)
  })

  it('turns when its messages are spent', async () => {
    const windows = windowsWith({ messagesMax: 2 })
    const first = await windows.take('orders', 1)
    first.spend(1)
    expect(await windows.take('orders', 1)).toBe(first)
    first.spend(1)
    expect(await windows.take('orders', 1)).not.toBe(first)
  })

  it('turns when the next message would not fit its bytes', async () => {
    const windows = windowsWith()
    const first = await windows.take('orders', 600)
    first.spend(600)
    expect(await windows.take('orders', 400)).toBe(first)
    expect(await windows.take('orders', 401)).not.toBe(first)
  })

  it('takes one message of any size', async () => {
    const windows = windowsWith()
    const window = await windows.take('orders', 5_000)
    expect(window.hasRoom(5_000, clock.elapsedMs())).toBe(true)
    window.spend(5_000)
    expect(window.hasRoom(1, clock.elapsedMs())).toBe(false)
  })
})

describe('turning a window', () => {
  it('makes one DEK for all who wait for it', async () => {
    const windows = windowsWith()
    const taken = await Promise.all([1, 2, 3].map(() => windows.take('orders', 1)))
    expect(new Set(taken).size).toBe(1)
    expect(asked).toHaveLength(1)
    clock.advance(1_000)
    const turned = await Promise.all([1, 2, 3].map(() => windows.take('orders', 1)))
    expect(new Set(turned).size).toBe(1)
    expect(asked).toHaveLength(2)
  })

  it('has the next DEK made at 70 % of the age, once', async () => {
    const windows = windowsWith()
    windows.prepare('orders')
    await windows.take('orders', 1)
    clock.advance(699)
    windows.prepare('orders')
    expect(asked).toHaveLength(1)
    clock.advance(1)
    windows.prepare('orders')
    windows.prepare('orders')
    expect(asked).toHaveLength(2)
    clock.advance(300)
    await windows.take('orders', 1)
    expect(asked).toHaveLength(2)
  })

  it.each([
    ['messages', { messagesMax: 10 }, 0],
    ['bytes', { bytesMax: 70 }, 7],
  ])('has the next DEK made at 70 %% of the %s', async (_what, limits, bytes) => {
    const windows = windowsWith(limits)
    const window = await windows.take('orders', 1)
    for (let i = 0; i < 6; i++) window.spend(bytes)
    windows.prepare('orders')
    expect(asked).toHaveLength(1)
    window.spend(bytes)
    windows.prepare('orders')
    expect(asked).toHaveLength(2)
  })

  it('reports a failure to everyone who waits, and tries again with the next', async () => {
    failures = [new Error('down')]
    const windows = windowsWith()
    const tries = await Promise.allSettled([windows.take('a', 1), windows.take('a', 1)])
    expect(tries.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(asked).toHaveLength(1)
    await expect(windows.take('a', 1)).resolves.toBeDefined()
  })

  it('forgets a failure to make the next DEK ahead', async () => {
    const windows = windowsWith()
    await windows.take('a', 1)
    failures = [new Error('down')]
    clock.advance(800)
    windows.prepare('a')
    await Promise.resolve()
    await Promise.resolve()
    clock.advance(200)
    await expect(windows.take('a', 1)).resolves.toBeDefined()
    expect(asked).toHaveLength(3)
  })
})

describe('the DEK of a window', () => {
  it('is dropped when the window has turned and no segment holds it', async () => {
    const windows = windowsWith()
    const { dek } = await windows.take('a', 1)
    const segment = dek.retain()
    clock.advance(1_000)
    await windows.take('a', 1)
    await nextTurn()
    expect(isDead(dek)).toBe(false)
    segment.release()
    expect(isDead(dek)).toBe(true)
  })

  it('is alive for whoever is given a window in the moment in which it turns', async () => {
    const windows = windowsWith({ bytesMax: 100 })
    const first = await windows.take('a', 1)
    first.spend(50)
    const retain = async (bytes: number) => (await windows.take('a', bytes)).dek.retain()
    const larger = retain(80)
    // Walks through every moment between the asking for the next DEK and the turn.
    const smaller: Promise<Dek>[] = []
    for (let i = 0; i < 8; i++) {
      smaller.push(retain(1))
      await Promise.resolve()
    }
    for (const dek of await Promise.all([larger, ...smaller])) expect(isDead(dek)).toBe(false)
  })

  it('is dropped on close, and so is the one that was made ahead', async () => {
    const made: Dek[] = []
    const record = {
      dekId: SEGMENT_ID,
      keyDomain: 'a',
      kekId: 'k',
      kekVersion: null,
      createdAtMs: 0,
    }
    const createDek = async () => {
      const dek = new Dek({ ...record, wrapped: Buffer.from('w') }, Buffer.alloc(32, 1))
      made.push(dek)
      return dek
    }
    const windows = new DekWindows(createDek, WIDE, clock)
    await windows.take('a', 1)
    clock.advance(800)
    windows.prepare('a')
    await windows.close()
    expect(made.map(isDead)).toEqual([true, true])
  })
})
