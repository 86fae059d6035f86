import { beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { reencryptAll } from '../../../src/reencryption/job.ts'
import { itemsInScope } from '../../../src/reencryption/plan.ts'
import {
  isLookDue,
  lookAtRound,
  type RoundServices,
  type RoundSettings,
} from '../../../src/reencryption/rotation-round.ts'
import { RotationSchedule } from '../../../src/reencryption/rotation-schedule.ts'
import { rotationStatus } from '../../../src/reencryption/rotation-status.ts'
import { reencryptSegment } from '../../../src/reencryption/segment-reencryption.ts'
import type { ReencryptionOrder } from '../../../src/reencryption/work-queue.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { MemoryWorkQueue } from '../../support/memory-work-queue.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'
import { makeDek } from '../../support/sealed-segment.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const settings: RoundSettings = {
  ...{ olderThanMs: 30 * DAY_MS, everyMs: 24 * HOUR_MS, ordersMax: 1_000 },
  ...{ holder: 'a', leaseMs: 60_000 },
}

let place: ReencryptionPlace
let queue: MemoryWorkQueue
let services: RoundServices
beforeEach(async () => {
  place = new ReencryptionPlace()
  queue = new MemoryWorkQueue()
  const { rotation, mapping, clock } = place
  services = { rotation, mapping, marks: mapping, queue, clock }
  const [orders, payments] = [await makeDek(place.kms), await makeDek(place.kms, 'payments')]
  for (let i = 0; i < 3; i++) await place.seal(messages(3), orders)
  await place.seal(messages(2), payments)
})

const look = (over: Partial<RoundSettings> = {}) => lookAtRound(services, { ...settings, ...over })
const due = async (over: Partial<RoundSettings> = {}) =>
  isLookDue(services, await place.rotation.latestRound(), { ...settings, ...over })

/** Takes every order off the queue, as encryptors do, but for those that `isLeft` says. */
async function workOff(isLeft: (order: ReencryptionOrder) => boolean = () => false) {
  const stop = new AbortController()
  const reencryption = place.services()
  const taking = queue.take(
    async (order) => {
      if (!isLeft(order)) await reencryptSegment(reencryption, order)
      return 'next'
    },
    { atOnce: 1, signal: stop.signal },
  )
  while ((await queue.left()) > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  stop.abort()
  await taking
}
const status = () => rotationStatus(place, place.clock.nowMs() - settings.olderThanMs)

describe('a schedule by age', () => {
  it('gives nothing out before its time', async () => {
    expect(await due()).toBe(true)
    expect(await look()).toMatchObject({ isOpen: false, due: { segments: 0 }, oldestAtMs: null })
    expect(await queue.left()).toBe(0)
    expect(await due()).toBe(false)
    expect((await status()).domains).toEqual([])
  })

  it('gives out what is too old, tells it as running, and then as done', async () => {
    place.clock.advance(31 * DAY_MS)
    const before = await status()
    expect(before.domains).toMatchObject([
      { keyDomain: 'orders', due: { segments: 3, messages: 9 }, running: { segments: 0 } },
      { keyDomain: 'payments', due: { segments: 1, messages: 2 }, running: { segments: 0 } },
    ])
    expect(await look()).toMatchObject({ isOpen: true, due: { segments: 4, messages: 11 } })
    expect(await queue.left()).toBe(4)
    const running = await status()
    expect(running.domains.map((one) => one.running.segments)).toEqual([3, 1])
    expect(running.domains.map((one) => one.due.segments)).toEqual([0, 0])
    expect(await due()).toBe(false)
    await workOff()
    expect(await due()).toBe(true)
    expect(await look()).toMatchObject({ isOpen: false, due: { segments: 0 }, oldestAtMs: null })
    expect(await due()).toBe(false)
    const after = await status()
    expect(after.domains).toMatchObject([
      { keyDomain: 'orders', done: { segments: 3, messages: 9 }, oldestAtMs: null },
      { keyDomain: 'payments', done: { segments: 1, messages: 2 }, oldestAtMs: null },
    ])
    expect(await place.wrong()).toEqual([])
  })

  it('goes through closed days no more, and counts what comes to age later', async () => {
    place.clock.advance(31 * DAY_MS)
    await look()
    await workOff()
    await look()
    place.clock.advance(2 * DAY_MS)
    await look()
    const asked: string[] = []
    const mapping = new Proxy(place.mapping, {
      get(store, name) {
        const value = Reflect.get(store, name)
        if (name !== 'segmentsOfDek') return typeof value === 'function' ? value.bind(store) : value
        return (dekId: string) => {
          asked.push(dekId)
          return store.segmentsOfDek(dekId)
        }
      },
    })
    place.clock.advance(DAY_MS)
    await lookAtRound({ ...services, mapping }, settings)
    expect(asked).toEqual([])
    expect(await all(place.rotation.agedDeks('orders', place.clock.nowMs() - DAY_MS))).toEqual(
      (await all(place.mapping.deksOfDomain('orders')))
        .filter(({ createdAtMs }) => createdAtMs > place.clock.nowMs() - 10 * DAY_MS)
        .map((dek) => ({ ...dek, orderedAtMs: null, done: null })),
    )
    place.clock.advance(30 * DAY_MS)
    expect(await look()).toMatchObject({ isOpen: true, due: { segments: 4 } })
  })

  it('gives what failed out again with the next round, not before', async () => {
    place.clock.advance(31 * DAY_MS)
    await look()
    const [first] = place.segments
    await workOff(({ segmentId }) => segmentId === first?.segmentId)
    expect(await look()).toMatchObject({ isOpen: false, due: { segments: 1 } })
    expect(await queue.left()).toBe(0)
    expect(await due()).toBe(false)
    place.clock.advance(24 * HOUR_MS)
    expect(await due()).toBe(true)
    expect(await look()).toMatchObject({ isOpen: true, due: { segments: 1 } })
    expect(await queue.left()).toBe(1)
  })

  it('gives out no more than it may at a time, and goes on in the same round', async () => {
    place.clock.advance(31 * DAY_MS)
    const first = await look({ ordersMax: 1 })
    expect(await queue.left()).toBe(3)
    await workOff()
    expect(await look({ ordersMax: 1 })).toMatchObject({
      ...{ isOpen: true, startedAtMs: first?.startedAtMs, due: { segments: 1 } },
    })
    expect(await queue.left()).toBe(1)
    await workOff()
    expect(await look({ ordersMax: 1 })).toMatchObject({ isOpen: false, due: { segments: 0 } })
  })

  it('begins anew under another limit', async () => {
    place.clock.advance(10 * DAY_MS)
    await look()
    expect(await due({ olderThanMs: 5 * DAY_MS })).toBe(true)
    expect(await look({ olderThanMs: 5 * DAY_MS })).toMatchObject({ due: { segments: 4 } })
  })

  it('is looked at by one process at a time', async () => {
    place.clock.advance(31 * DAY_MS)
    expect(await place.rotation.hold('b', 60_000)).toBe(true)
    expect(await look()).toBeNull()
    expect(await queue.left()).toBe(0)
    await place.rotation.release('b')
    expect(await look()).not.toBeNull()
    expect(await place.rotation.hold('b', 60_000)).toBe(true)
  })

  it('is not looked at again by one that had to wait for the lease', async () => {
    place.clock.advance(31 * DAY_MS)
    await look()
    await workOff()
    await look()
    // It saw that a look was due before the other had its own.
    expect(await look({ holder: 'b' })).toBeNull()
    expect(await place.rotation.latestRound()).toMatchObject({ isOpen: false })
  })

  it('ends a look whose lease another has taken', async () => {
    place.clock.advance(31 * DAY_MS)
    let holds = 0
    const rotation = new Proxy(place.rotation, {
      get(log, name) {
        if (name === 'hold') return async () => holds++ === 0
        const value = Reflect.get(log, name)
        return typeof value === 'function' ? value.bind(log) : value
      },
    })
    const mapping = new Proxy(place.mapping, {
      get(store, name) {
        if (name === 'segmentsOfDek') place.clock.advance(30_000)
        const value = Reflect.get(store, name)
        return typeof value === 'function' ? value.bind(store) : value
      },
    })
    await expect(lookAtRound({ ...services, rotation, mapping }, settings)).rejects.toMatchObject({
      code: 'SEAL_STOPPED',
    })
    expect(await queue.left()).toBe(0)
  })

  it('killed at any effect leaves a round that the next look goes on with', async () => {
    for (let at = 1; ; at++) {
      place = new ReencryptionPlace()
      queue = new MemoryWorkQueue()
      const dek = await makeDek(place.kms)
      for (let i = 0; i < 2; i++) await place.seal(messages(2), dek)
      place.clock.advance(31 * DAY_MS)
      let effects = 0
      const killed = new Error('killed')
      const atEffect = () => {
        if (++effects === at) throw killed
      }
      const marks = { recordDue: async () => atEffect() }
      const dying = {
        recordOrdered: async (...of: Parameters<typeof place.rotation.recordOrdered>) => {
          atEffect()
          await place.rotation.recordOrdered(...of)
          atEffect()
        },
        recordRound: async (...of: Parameters<typeof place.rotation.recordRound>) => {
          atEffect()
          await place.rotation.recordRound(...of)
        },
      }
      const rotation = new Proxy(place.rotation, {
        get(log, name) {
          const over = dying[name as keyof typeof dying]
          const value = Reflect.get(log, name)
          return over ?? (typeof value === 'function' ? value.bind(log) : value)
        },
      })
      const offer: MemoryWorkQueue['offer'] = async (orders) => {
        atEffect()
        await queue.offer(orders)
        atEffect()
      }
      const { mapping, clock } = place
      services = { rotation, mapping, marks, queue: { offer, left: () => queue.left() }, clock }
      const end = await look().then(
        () => 'lived',
        (error: unknown) => error,
      )
      if (end === 'lived') break
      expect(end).toBe(killed)
      services = { rotation: place.rotation, mapping, marks: mapping, queue, clock }
      await workOff()
      while (await due()) {
        await look()
        await workOff()
      }
      expect((await status()).domains).toMatchObject([
        { due: { segments: 0 }, running: { segments: 0 }, done: { segments: 2 } },
      ])
    }
  })

  it('runs in a process, and tells what was found', async () => {
    const rounds: number[] = []
    const observer = {
      rotationRound: ({ due: { segments } }: { due: { segments: number } }) =>
        void rounds.push(segments),
      rotationFailed: (error: unknown) => {
        throw error
      },
    }
    place.clock.advance(31 * DAY_MS)
    const timed = { ...services, clock: { ...systemClock, nowMs: () => place.clock.nowMs() } }
    const schedule = new RotationSchedule(timed, observer, settings, 5)
    schedule.start()
    while ((await queue.left()) < 4) await new Promise((resolve) => setTimeout(resolve, 1))
    await workOff()
    while (rounds.at(-1) !== 0) await new Promise((resolve) => setTimeout(resolve, 1))
    await schedule.stop()
    expect(rounds[0]).toBe(4)
  })
})

describe('what is older than an age', () => {
  it('is found by day, without what is done', async () => {
    place.clock.advance(31 * DAY_MS)
    const madeBeforeMs = place.clock.nowMs() - 30 * DAY_MS
    const items = () => itemsInScope(place, { madeBeforeMs }, place.clock.nowMs())
    expect(await all(items())).toHaveLength(4)
    const job = { atOnce: 1, signal: place.stop.signal, onDone: () => {} }
    await reencryptAll(place.services(), items(), job)
    await look()
    expect(await all(items())).toEqual([])
    const nobody = itemsInScope(place, { madeBeforeMs, keyDomain: 'nobody' }, 0)
    await expect(all(nobody)).rejects.toMatchObject({ code: 'SEAL_KEY_UNKNOWN' })
  })
})
