import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { Dek } from '../../../src/keys/dek.ts'
import { DekWindows } from '../../../src/keys/dek-windows.ts'
import type { RetiredKey } from '../../../src/keys/running-keys.ts'
import { type WindowSettings, windowPolicyOf } from '../../../src/keys/window-policy.ts'
import { Gate } from '../../support/gate.ts'
import { SteppedClock } from '../../support/stepped-clock.ts'

const WIDE: WindowSettings = {
  ...{ ageMs: 1_000, messagesMax: 1_000, bytesMax: 1_000, outageFactor: 4, reserve: 0 },
}
const SEGMENT_ID = '5ea15eed-0000-4000-8000-0000000000e1'

let clock: SteppedClock
/** Domains for which a DEK was asked for. */
let asked: string[]
let made: Dek[]
let failures: Error[]
let refused: [keyDomain: string, error: unknown][]
let retired: (RetiredKey & { readonly reason: string })[]
/** Holds the making of DEKs. */
let kms: Gate
/** Tells that a try to make the DEK that was asked for last has failed. */
let tryFails: () => void

beforeEach(() => {
  clock = new SteppedClock()
  kms = new Gate()
  asked = []
  made = []
  failures = []
  refused = []
  retired = []
})

function windowsWith(settings: Partial<WindowSettings> = {}, deksMax = 1_000): DekWindows {
  const createDek = async (keyDomain: string, onTrouble: () => void) => {
    asked.push(keyDomain)
    tryFails = onTrouble
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    await kms.pass()
    const record = { dekId: randomUUID(), keyDomain, kekId: 'kek', kekVersion: null }
    const wrap = { ...record, wrapped: Buffer.from('w'), createdAtMs: 0 }
    const dek = new Dek(wrap, Buffer.alloc(32, 1))
    made.push(dek)
    return dek
  }
  return new DekWindows({
    ...{ createDek, policy: windowPolicyOf({ ...WIDE, ...settings }), clock, random: () => 0.5 },
    deksMax,
    lives: {
      firstUsed: () => {},
      retired: (key, reason) => void retired.push({ ...key, reason }),
    },
    onRefused: (keyDomain, error) => void refused.push([keyDomain, error]),
  })
}

const isDead = (dek: Dek) => {
  try {
    dek.newSegment(SEGMENT_ID, 0)
    return false
  } catch {
    return true
  }
}

/** Lets everything happen that happens without time. */
const settle = async () => {
  for (let turn = 0; turn < 3; turn++) await nextTurn()
}

const isPending = async (promise: Promise<unknown>) => {
  let isSettled = false
  promise.then(() => {
    isSettled = true
  })
  await settle()
  return !isSettled
}

describe('a window', () => {
  it('is kept as long as there is room, and each domain has its own', async () => {
    const windows = windowsWith()
    const first = await windows.take('orders', 1)
    expect(await windows.take('orders', 1)).toBe(first)
    expect(await windows.take('payments', 1)).not.toBe(first)
    expect(asked).toEqual(['orders', 'payments'])
  })

  it('turns when its age is reached and a next DEK is at hand, not before', async () => {
    const windows = windowsWith()
    const first = await windows.take('orders', 1)
    clock.advance(999)
    windows.prepare('orders')
    await settle()
    expect(await windows.take('orders', 1)).toBe(first)
    clock.advance(1)
    const second = await windows.take('orders', 1)
    expect(second.dek.record.dekId).not.toBe(first.dek.record.dekId)
    expect(second.startedAtMs).toBe(clock.elapsedMs())
  })

  it.each([
    ['messages', { messagesMax: 10 }, 7, 0, 3],
    ['bytes', { bytesMax: 100 }, 7, 10, 3],
  ])('turns when its %s are spent', async (_what, settings, first, bytes, rest) => {
    const windows = windowsWith(settings)
    const window = await windows.take('orders', bytes)
    for (let i = 0; i < first; i++) window.spend(bytes)
    windows.prepare('orders')
    await settle()
    for (let i = 0; i < rest; i++) {
      expect(await windows.take('orders', bytes)).toBe(window)
      window.spend(bytes)
    }
    expect(await windows.take('orders', 1)).not.toBe(window)
  })

  it('takes one message of any size', async () => {
    const windows = windowsWith()
    const window = await windows.take('orders', 5_000)
    expect(window.hasRoom(5_000, clock.elapsedMs())).toBe(true)
    window.spend(5_000)
    expect(window.hasRoom(1, clock.elapsedMs())).toBe(false)
  })
})

describe('the next DEK', () => {
  it('is one for all who wait for it', async () => {
    const windows = windowsWith()
    const taken = await Promise.all([1, 2, 3].map(() => windows.take('orders', 1)))
    expect(new Set(taken).size).toBe(1)
    expect(asked).toHaveLength(1)
    clock.advance(4_000)
    const turned = await Promise.all([1, 2, 3].map(() => windows.take('orders', 1)))
    expect(new Set(turned).size).toBe(1)
    expect(asked).toHaveLength(2)
  })

  it('is made once, at 70 % of the age give or take the jitter', async () => {
    const windows = windowsWith({ ageMs: 10_000 })
    windows.prepare('orders')
    await windows.take('orders', 1)
    clock.advance(6_999)
    windows.prepare('orders')
    expect(asked).toHaveLength(1)
    clock.advance(1)
    windows.prepare('orders')
    windows.prepare('orders')
    expect(asked).toHaveLength(2)
    await settle()
    windows.prepare('orders')
    clock.advance(3_000)
    await windows.take('orders', 1)
    expect(asked).toHaveLength(2)
  })

  it('is made a second before the end, where that is earlier', async () => {
    const windows = windowsWith({ ageMs: 2_000, messagesMax: 100 })
    const byAge = await windows.take('a', 1)
    byAge.spend(1)
    clock.advance(999)
    windows.prepare('a')
    expect(asked).toHaveLength(1)
    clock.advance(1)
    windows.prepare('a')
    expect(asked).toHaveLength(2)
    // At this pace the hundredth message comes in half a second.
    const byPace = await windows.take('b', 1)
    clock.advance(100)
    for (let i = 0; i < 17; i++) byPace.spend(1)
    windows.prepare('b')
    expect(asked).toHaveLength(4)
  })

  it.each([
    ['and is there when a burst comes after the end of the window', 3_000, 2],
    ['but not where there was nothing but one burst at the beginning', 2_000, 1],
  ])('is made by the sweep for a domain in use, %s', async (_, lastMs, calls) => {
    const windows = windowsWith({ ageMs: 10_000 })
    const first = await windows.take('a', 1)
    clock.advance(lastMs)
    windows.prepare('a')
    for (; clock.elapsedMs() < first.startedAtMs + 11_000; clock.advance(500)) {
      windows.sweep()
      await settle()
    }
    expect(first.isEnded).toBe(true)
    expect(asked).toHaveLength(calls)
    kms.close()
    expect(await isPending(windows.take('a', 1))).toBe(calls === 1)
    kms.open()
  })

  it('that cannot be made in time stretches the window of a domain that comes in bursts', async () => {
    const windows = windowsWith()
    const window = await windows.take('a', 1)
    clock.advance(500)
    windows.prepare('a')
    kms.close()
    for (let i = 0; i < 20; i++) {
      clock.advance(100)
      windows.sweep()
    }
    tryFails()
    expect(await windows.take('a', 1)).toBe(window)
    kms.open()
  })

  it('is reported as refused to everyone who waits, and tried again with the next', async () => {
    failures = [new Error('down')]
    const windows = windowsWith()
    const tries = await Promise.allSettled([windows.take('a', 1), windows.take('a', 1)])
    expect(tries.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(asked).toHaveLength(1)
    await expect(windows.take('a', 1)).resolves.toBeDefined()
  })

  it('that is refused ahead is told, not asked for by every batch, and stops nothing yet', async () => {
    const windows = windowsWith()
    const window = await windows.take('a', 1)
    const refusal = new SealError('SEAL_KEK_DISABLED', 'disabled')
    failures = [refusal, refusal]
    clock.advance(800)
    for (let i = 0; i < 5; i++) {
      windows.prepare('a')
      await settle()
    }
    expect(refused).toEqual([['a', refusal]])
    expect(asked).toHaveLength(2)
    clock.advance(3_000)
    windows.sweep()
    expect(await windows.take('a', 1)).toBe(window)
    expect(asked).toHaveLength(2)
    clock.advance(200)
    failures = [refusal]
    await expect(windows.take('a', 1)).rejects.toBe(refusal)
  })

  it('is made by as many calls as there are waiting for a DEK of their own', async () => {
    const windows = windowsWith({ messagesMax: 1 })
    kms.close()
    const taken = Array.from({ length: 12 }, async () => {
      for (;;) {
        const window = await windows.take('a', 1)
        if (!window.hasRoom(1, clock.elapsedMs())) continue
        window.spend(1)
        return window
      }
    })
    await settle()
    expect(asked).toHaveLength(8)
    kms.open()
    expect(new Set(await Promise.all(taken)).size).toBe(12)
    expect(asked.length).toBeLessThanOrEqual(13)
  })
})

describe('a turn without a next DEK', () => {
  it('waits a moment for it, and so turns at the soft limits where the KMS answers', async () => {
    const windows = windowsWith({ messagesMax: 3 })
    const used: string[] = []
    for (let i = 0; i < 9; i++) {
      const window = await windows.take('a', 1)
      window.spend(1)
      used.push(window.dek.record.dekId)
    }
    expect([0, 3, 6].map((i) => new Set(used.slice(i, i + 3)).size)).toEqual([1, 1, 1])
    expect(new Set(used).size).toBe(3)
  })
})

describe('a KMS that is slow', () => {
  it('is waited for, and no window is stretched as long as no try has failed', async () => {
    const windows = windowsWith({ messagesMax: 10 })
    const window = await windows.take('a', 1)
    for (let i = 0; i < 10; i++) window.spend(1)
    kms.close()
    const next = windows.take('a', 1)
    await clock.step(1_999)
    expect(await isPending(next)).toBe(true)
    kms.open()
    expect(await next).not.toBe(window)
    expect(window.inUse().messages).toBe(10)
  })

  it('is not waited for once a try has failed', async () => {
    const windows = windowsWith({ messagesMax: 10 })
    const window = await windows.take('a', 1)
    for (let i = 0; i < 10; i++) window.spend(1)
    kms.close()
    const next = windows.take('a', 1)
    expect(await isPending(next)).toBe(true)
    tryFails()
    expect(await next).toBe(window)
    kms.open()
  })
})

describe('while the KMS is away', () => {
  it('a window is stretched to its hard limits and not beyond, then everybody waits', async () => {
    const windows = windowsWith({ messagesMax: 10 })
    const window = await windows.take('a', 1)
    kms.close()
    for (let i = 0; i < 40; i++) {
      const taken = windows.take('a', 1)
      await clock.step(i === 10 ? 2_000 : 0)
      expect(await taken).toBe(window)
      window.spend(1)
    }
    expect(clock.slept).toEqual([2_000])
    const blocked = windows.take('a', 1)
    expect(await isPending(blocked)).toBe(true)
    expect(asked).toHaveLength(2)
    kms.open()
    expect(await blocked).not.toBe(window)
  })

  it('ends a stretched window as soon as a next DEK is at hand', async () => {
    const windows = windowsWith()
    const window = await windows.take('a', 1)
    kms.close()
    clock.advance(900)
    windows.prepare('a')
    clock.advance(2_000)
    windows.sweep()
    expect(window.hasRoom(1, clock.elapsedMs())).toBe(false)
    tryFails()
    expect(await windows.take('a', 1)).toBe(window)
    expect(window.hasRoom(1, clock.elapsedMs())).toBe(true)
    kms.open()
    await settle()
    expect(window.hasRoom(1, clock.elapsedMs())).toBe(false)
    expect(await windows.take('a', 1)).not.toBe(window)
  })

  it('one message a DEK stays one message a DEK', async () => {
    const windows = windowsWith({ messagesMax: 1 })
    const window = await windows.take('a', 1)
    kms.close()
    window.spend(1)
    expect(await isPending(windows.take('a', 1))).toBe(true)
  })

  it('an outage factor of 1 stretches nothing', async () => {
    const windows = windowsWith({ outageFactor: 1 })
    await windows.take('a', 1)
    kms.close()
    clock.advance(1_000)
    expect(await isPending(windows.take('a', 1))).toBe(true)
  })

  it('a reserve is used window by window before the last one is stretched', async () => {
    const windows = windowsWith({ reserve: 3 })
    await windows.take('a', 1)
    await settle()
    windows.prepare('a')
    await settle()
    expect(asked).toHaveLength(4)
    kms.close()
    const used = new Set<string>()
    for (let ms = 0; ms < 7_000; ms += 100) {
      windows.prepare('a')
      const taken = windows.take('a', 1)
      await clock.step(100)
      used.add((await taken).dek.record.dekId)
    }
    expect(used.size).toBe(4)
    expect(await isPending(windows.take('a', 1))).toBe(true)
  })
})

describe('the DEK of a window', () => {
  it('is dropped when the window has turned and no segment holds it', async () => {
    const windows = windowsWith()
    const { dek } = await windows.take('a', 1)
    const segment = dek.retain()
    clock.advance(4_000)
    await windows.take('a', 1)
    await nextTurn()
    expect(isDead(dek)).toBe(false)
    segment.release()
    expect(isDead(dek)).toBe(true)
  })

  it('is alive for whoever is given a window in the moment in which it turns', async () => {
    const windows = windowsWith({ bytesMax: 100, outageFactor: 1 })
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

  it('is dropped when the age is over though nobody asks for another', async () => {
    const windows = windowsWith()
    const { dek } = await windows.take('a', 1)
    clock.advance(999)
    windows.sweep()
    await settle()
    expect(isDead(dek)).toBe(false)
    clock.advance(1)
    windows.sweep()
    await settle()
    expect(isDead(dek)).toBe(true)
    expect(windows.inUse()).toEqual([])
  })

  it('that was made ahead is dropped when its domain has gone quiet', async () => {
    const windows = windowsWith({ reserve: 2 })
    await windows.take('a', 1)
    windows.prepare('a')
    await settle()
    expect(made).toHaveLength(3)
    clock.advance(1_000)
    windows.sweep()
    windows.sweep()
    await settle()
    expect(made.map(isDead)).toEqual([true, true, true])
    expect(retired.map(({ reason }) => reason).toSorted()).toEqual([
      'age',
      'never used',
      'never used',
    ])
  })

  it('is dropped on close, and so are those made ahead and those under way', async () => {
    const windows = windowsWith({ reserve: 1 })
    await windows.take('a', 1)
    windows.prepare('a')
    await settle()
    clock.advance(800)
    kms.close()
    windows.prepare('a')
    await windows.close()
    kms.open()
    await settle()
    expect(made).toHaveLength(3)
    expect(made.map(isDead)).toEqual([true, true, true])
  })

  it('is refused to those who wait for it when the windows are closed', async () => {
    const windows = windowsWith()
    kms.close()
    const refusal = expect(windows.take('a', 1)).rejects.toMatchObject({ code: 'SEAL_STOPPED' })
    await settle()
    await windows.close()
    await refusal
  })
})

describe('rotating', () => {
  it('ends the window at once, and drops what was made or asked for before', async () => {
    const windows = windowsWith({ reserve: 1 })
    const { dek } = await windows.take('a', 1)
    await settle()
    windows.prepare('a')
    await settle()
    clock.advance(800)
    kms.close()
    windows.prepare('a')
    const before = new Set(made)
    const rotated = windows.rotate({ dekId: null, keyDomain: null }, 'rotate-now: drill')
    const next = windows.take('a', 1)
    kms.open()
    const window = await next
    await settle()
    expect(before.has(window.dek)).toBe(false)
    // The first three were made or asked for before.
    expect(made.indexOf(window.dek)).toBeGreaterThanOrEqual(3)
    expect([...before].map(isDead)).toEqual([...before].map(() => true))
    expect(await rotated).toMatchObject([{ dekId: dek.record.dekId }])
    expect(retired.filter(({ reason }) => reason === 'rotate-now: drill')).toHaveLength(1)
  })

  it('resolves only when the last segment under the DEK is sealed, and tells its last use', async () => {
    const windows = windowsWith()
    const window = await windows.take('a', 7)
    const segment = window.dek.retain()
    window.spend(7)
    const rotated = windows.rotate({ dekId: null, keyDomain: 'a' }, 'leak')
    expect(window.isEnded).toBe(true)
    expect(await isPending(rotated)).toBe(true)
    clock.advance(50)
    window.noteUse()
    segment.release()
    const [key] = await rotated
    expect(key).toMatchObject({ keyDomain: 'a', messages: 1, bytes: 7 })
    expect((key?.lastUsedAtMs ?? 0) - (key?.firstUsedAtMs ?? 0)).toBe(50)
  })

  it('touches what is in scope and nothing else', async () => {
    const windows = windowsWith()
    const [a, b] = [await windows.take('a', 1), await windows.take('b', 1)]
    await windows.rotate({ dekId: null, keyDomain: 'a' }, 'x')
    expect([a.isEnded, b.isEnded]).toEqual([true, false])
    await windows.rotate({ dekId: b.dek.record.dekId, keyDomain: null }, 'x')
    expect(b.isEnded).toBe(true)
    expect(await windows.rotate({ dekId: randomUUID(), keyDomain: null }, 'x')).toEqual([])
  })

  it('retires one DEK wherever it is: in use, made ahead or under way', async () => {
    const windows = windowsWith({ reserve: 2 })
    const first = await windows.take('a', 1)
    await settle()
    const [, inLine, kept] = made as [Dek, Dek, Dek]
    expect(made).toHaveLength(3)
    const scopeOf = ({ record }: Dek) => ({ dekId: record.dekId, keyDomain: 'a' })
    expect(await windows.rotate(scopeOf(inLine), 'retire: x')).toEqual([
      { ...scopeOf(inLine), firstUsedAtMs: null, lastUsedAtMs: null, messages: 0, bytes: 0 },
    ])
    expect([inLine, kept, first.dek].map(isDead)).toEqual([true, false, false])
    await windows.rotate(scopeOf(first.dek), 'retire: x')
    expect([first.dek, kept].map(isDead)).toEqual([true, false])

    kms.close()
    const taken = await windows.take('a', 1)
    expect(taken.dek).toBe(kept)
    windows.prepare('a')
    await settle()
    // Those have their ids already, but are not in line yet.
    const underWay = asked.length - made.length
    expect(underWay).toBeGreaterThan(0)
    const unknown = { dekId: randomUUID(), keyDomain: 'a' }
    await windows.rotate(unknown, 'retire: x')
    const before = made.length
    kms.open()
    await settle()
    expect(made.slice(before, before + underWay).map(isDead)).toEqual(
      new Array(underWay).fill(true),
    )
    expect(isDead(taken.dek)).toBe(false)
  })

  it('lets who waits for a key wait for the new one', async () => {
    const windows = windowsWith()
    kms.close()
    const waiting = windows.take('a', 1)
    await settle()
    windows.rotate({ dekId: null, keyDomain: null }, 'x')
    await settle()
    expect(asked).toHaveLength(2)
    kms.open()
    expect((await waiting).dek).toBe(made[1])
  })
})

describe('the budget of DEKs', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f']
  const domainsInUse = (windows: DekWindows) => windows.inUse().map(({ keyDomain }) => keyDomain)

  /** Windows of all names, used far enough for the next DEK to be wanted. */
  async function inUse(deksMax: number): Promise<DekWindows> {
    const windows = windowsWith({}, deksMax)
    for (const name of NAMES) (await windows.take(name, 1)).spend(1)
    clock.advance(750)
    return windows
  }

  it('ends no window for DEKs that the KMS does not give', async () => {
    const windows = await inUse(NAMES.length + 2)
    kms.close()
    for (let round = 0; round < 3; round++) {
      for (const name of NAMES) windows.prepare(name)
      await Promise.all(NAMES.map((name) => windows.take(name, 1)))
      await settle()
    }
    expect(domainsInUse(windows)).toEqual(NAMES)
  })

  it('ends no window for a DEK that is refused, and nobody is refused before the hard limits', async () => {
    const windows = await inUse(NAMES.length)
    failures = NAMES.map(() => new SealError('SEAL_KEK_DISABLED', 'disabled'))
    for (const name of NAMES) windows.prepare(name)
    await settle()
    await Promise.all(NAMES.map((name) => windows.take(name, 1)))
    expect(domainsInUse(windows)).toEqual(NAMES)
  })
})

describe('the exposure', () => {
  it('is that of the worst DEK that is still in memory', async () => {
    const windows = windowsWith({ messagesMax: 10, bytesMax: 10_000 })
    const [a, b] = [await windows.take('a', 1), await windows.take('b', 1)]
    expect(windows.exposure()).toMatchObject({ messages: 0, bytes: 0, share: 0, deks: 2 })
    for (let i = 0; i < 4; i++) a.spend(5)
    b.spend(900)
    clock.advance(100)
    expect(windows.exposure()).toEqual({
      ...{ messages: 4, bytes: 900, ageMs: 100, share: 0.1, deks: 2 },
    })
  })
})

describe('the budget of DEKs', () => {
  const taken = async (windows: DekWindows, ...domains: string[]) => {
    for (const keyDomain of domains) {
      clock.advance(1)
      ;(await windows.take(keyDomain, 1)).spend(1)
    }
    await settle()
  }
  const domainsOf = (windows: DekWindows) => windows.inUse().map(({ keyDomain }) => keyDomain)

  it('ends the window of the domain that was quiet longest for every one beyond it', async () => {
    const windows = windowsWith({ ageMs: 1_000_000 }, 3)
    await taken(windows, 'a', 'b', 'c', 'a', 'd')
    expect(domainsOf(windows)).toEqual(['a', 'c', 'd'])
    expect(retired).toMatchObject([{ keyDomain: 'b', messages: 1, reason: 'idle' }])
    await taken(windows, 'b')
    expect(domainsOf(windows)).toEqual(['a', 'b', 'd'])
    expect(made.filter((dek) => !isDead(dek))).toHaveLength(3)
  })

  it('is kept with a thousand domains, of which none loses its turn', async () => {
    const windows = windowsWith({ ageMs: 1_000_000 }, 10)
    for (let i = 0; i < 1_000; i++) await taken(windows, `tenant-${i}`)
    expect(made).toHaveLength(1_000)
    expect(made.filter((dek) => !isDead(dek))).toHaveLength(10)
    expect(domainsOf(windows)).toEqual(Array.from({ length: 10 }, (_, i) => `tenant-${990 + i}`))
  })

  it('counts DEKs that were made ahead, could not be made, or still seal', async () => {
    const windows = windowsWith({ ageMs: 1_000_000, reserve: 1 }, 4)
    failures.push(new SealError('SEAL_KMS_DENIED', 'no'))
    await expect(windows.take('x', 1)).rejects.toThrow('no')
    await taken(windows, 'a')
    const [held] = made
    held?.retain()
    await taken(windows, 'b', 'c')
    expect(domainsOf(windows)).not.toContain('a')
    expect(isDead(held as Dek)).toBe(false)
    held?.release()
    await settle()
    await windows.close()
    await settle()
    expect(made.every(isDead)).toBe(true)
  })

  it('stalls nobody: with nothing to end, the DEK is made all the same', async () => {
    const windows = windowsWith({}, 1)
    kms.close()
    const waiting = ['a', 'b', 'c'].map((keyDomain) => windows.take(keyDomain, 1))
    await settle()
    expect(asked).toEqual(['a', 'b', 'c'])
    kms.open()
    expect(await Promise.all(waiting)).toHaveLength(3)
  })
})
