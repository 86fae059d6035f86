import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { KekFollower } from '../../../src/keys/kek-follower.ts'
import type { NewKekOrder } from '../../../src/keys/kek-orders.ts'
import { ANNOUNCED_MS } from '../../../src/keys/key-desk.ts'
import { KeyWatcher } from '../../../src/keys/key-watcher.ts'
import type { KeyInUse, KeyScope, RetiredKey } from '../../../src/keys/running-keys.ts'
import { newKekOrder } from '../../contracts/kek-orders.contract.ts'
import { keyInUse, keyRequest } from '../../contracts/key-desk.contract.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { Gate } from '../../support/gate.ts'
import { away } from '../../support/lane-place.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'
import { MemoryKeyDesk } from '../../support/memory-key-desk.ts'
import { RecordingKeyObserver } from '../../support/recording-key-observer.ts'
import { SteppedClock, settled } from '../../support/stepped-clock.ts'

const SELF = { instanceId: 'host-1/4711/3f9a2c1b', groupId: 'sealstream' }
const RETIRED: RetiredKey = {
  ...{ dekId: randomUUID(), keyDomain: 'orders', firstUsedAtMs: 1, lastUsedAtMs: 2 },
  ...{ messages: 3, bytes: 30 },
}

let clock: SteppedClock
let desk: MemoryKeyDesk
let observer: RecordingKeyObserver
let orders: MemoryKekOrders
let kms: FakeKms
let watcher: KeyWatcher
let inUse: KeyInUse[]
let held: number
let rotations: [KeyScope, string][]
/** Holds the segments under ended DEKs open. */
let segments: Gate

beforeEach(() => {
  clock = new SteppedClock()
  desk = new MemoryKeyDesk(clock)
  observer = new RecordingKeyObserver()
  inUse = [keyInUse()]
  held = 0
  rotations = []
  segments = new Gate()
  orders = new MemoryKekOrders()
  kms = new FakeKms('old', 'new')
  const configured = { keyId: 'old', byDomain: new Map() }
  const keks = new KekFollower({ log: orders, kms, clock, configured, longestDomain: 'orders' })
  const keys = {
    inUse: () => inUse,
    held: () => held,
    rotate: async (scope: KeyScope, reason: string) => {
      rotations.push([scope, reason])
      await segments.pass()
      return [RETIRED]
    },
  }
  watcher = new KeyWatcher({ desk, keks, keys, clock, observer }, SELF)
})

const kmsAway = () => new SealError('SEAL_KMS_UNAVAILABLE', 'away', { retryable: true })
const finished = () => desk.answered.map(({ finishedAtMs }) => finishedAtMs !== null)

describe('a watcher', () => {
  it('tells that it runs and what it uses, and goes on telling', async () => {
    await watcher.start()
    const startedAtMs = clock.nowMs()
    expect(await desk.keysInUse()).toEqual([
      { ...SELF, state: 'running', startedAtMs, seenAtMs: startedAtMs, keys: inUse },
    ])
    inUse = [keyInUse(), keyInUse()]
    await clock.step(ANNOUNCED_MS * 2)
    const [instance] = await desk.keysInUse()
    expect(instance).toMatchObject({ startedAtMs, keys: inUse })
    await watcher.stop(1_000)
  })

  it('carries a request out within two seconds, once, and answers with what it retired', async () => {
    await watcher.start()
    const scope = { dekId: null, keyDomain: 'orders' }
    const request = keyRequest({ scope })
    await desk.place(request)
    await clock.step(2_000)
    expect(rotations).toEqual([[scope, 'rotate-now by alice@ops-7: laptop lost']])
    expect(await desk.answers(request.requestId)).toMatchObject([
      { instanceId: SELF.instanceId, retired: [RETIRED], finishedAtMs: expect.any(Number) },
    ])
    expect(observer.rotated).toEqual([[request.requestId, 'laptop lost', 1]])
    await clock.step(60_000)
    expect(rotations).toHaveLength(1)
    expect(finished()).toEqual([true])
    await watcher.stop(1_000)
  })

  it('tells of the keys that are left before it answers', async () => {
    await watcher.start()
    inUse = []
    const answer = desk.answer.bind(desk)
    let listed: unknown
    desk.answer = async (given) => {
      listed = (await desk.keysInUse())[0]?.keys
      return answer(given)
    }
    await desk.place(keyRequest())
    await clock.step(2_000)
    expect(listed).toEqual([])
    await watcher.stop(1_000)
  })

  it('says at once that it has ended the windows, and goes on telling that it runs', async () => {
    await watcher.start()
    segments.close()
    const request = keyRequest({ scope: { dekId: RETIRED.dekId, keyDomain: 'orders' } })
    await desk.place(request)
    await clock.step(ANNOUNCED_MS * 2)
    expect(rotations[0]?.[1]).toBe('retire by alice@ops-7: laptop lost')
    expect(finished()).toEqual([false])
    expect(await desk.instances()).toHaveLength(1)
    segments.open()
    await settled()
    expect(finished()).toEqual([false, true])
    await watcher.stop(1_000)
  })

  it('answers what was asked before its start, and retires nothing for it', async () => {
    const request = keyRequest()
    await desk.place(request)
    await watcher.start()
    expect(await desk.answers(request.requestId)).toMatchObject([
      { retired: [], finishedAtMs: expect.any(Number) },
    ])
    await clock.step(10_000)
    expect(rotations).toEqual([])
    await watcher.stop(1_000)
  })

  it.each(['SEAL_MAPPING_REFUSED', 'SEAL_MAPPING_UNAVAILABLE'] as const)(
    'ends the start when nobody would see the process (%s)',
    async (code) => {
      desk.failures.push(new SealError(code, 'no', { retryable: code.endsWith('UNAVAILABLE') }))
      await expect(watcher.start()).rejects.toMatchObject({ code })
    },
  )

  it('does not say that it has stopped while DEKs are left', async () => {
    await watcher.start()
    held = 1
    await watcher.stop(1_000)
    expect(await desk.instances()).toMatchObject([{ state: 'running' }])
  })

  it('answers requests of two operators both', async () => {
    await watcher.start()
    const [a, b] = [keyRequest(), keyRequest({ actor: 'bob@ops-8', reason: 'drill' })]
    await Promise.all([desk.place(a), desk.place(b)])
    await clock.step(3_000)
    expect(rotations.map(([, reason]) => reason).sort()).toEqual([
      'rotate-now by alice@ops-7: laptop lost',
      'rotate-now by bob@ops-8: drill',
    ])
    for (const { requestId } of [a, b]) expect(await desk.answers(requestId)).toHaveLength(1)
    await watcher.stop(1_000)
  })

  it.each([1, 2, 3, 4, 5])(
    'gets over %i calls that fail, rotates once and answers',
    async (count) => {
      await watcher.start()
      const request = keyRequest()
      await desk.place(request)
      desk.failures.push(...Array.from({ length: count }, () => away('SEAL_MAPPING_UNAVAILABLE')))
      await clock.step(10_000)
      expect(rotations).toHaveLength(1)
      expect(finished().at(-1)).toBe(true)
      expect(observer.failed).toHaveLength(count)
      await watcher.stop(1_000)
    },
  )

  it('gives its last answers and says that it has stopped', async () => {
    await watcher.start()
    segments.close()
    await desk.place(keyRequest())
    await clock.step(1_000)
    segments.open()
    await watcher.stop(1_000)
    expect(finished()).toEqual([false, true])
    expect(await desk.keysInUse()).toMatchObject([{ state: 'stopped', keys: [] }])
    expect(observer.failed).toEqual([])
  })

  it('stops in time though the desk does not answer', async () => {
    await watcher.start()
    desk.announce = () => new Promise(() => {})
    let isStopped = false
    watcher.stop(1_000).then(() => {
      isStopped = true
    })
    await clock.step(999)
    expect(isStopped).toBe(false)
    await clock.step(1)
    expect(isStopped).toBe(true)
  })
})

describe('a watcher and KEK orders', () => {
  const order = (changes: Partial<NewKekOrder> = {}) =>
    orders.append(newKekOrder({ toKekId: 'new', ...changes }))

  it('takes an order over, ends the windows that it means, and answers what it retired', async () => {
    await watcher.start()
    const { orderId } = await order({ keyDomain: 'orders' })
    await clock.step(2_000)
    const scope = { dekId: null, keyDomain: 'orders' }
    expect(rotations).toEqual([[scope, 'rotate kek by alice@ops-7: yearly']])
    expect(await desk.answers(orderId)).toMatchObject([
      { finishedAtMs: expect.any(Number), retired: [RETIRED], refusal: null },
    ])
    expect([observer.orders, observer.refusedOrders]).toEqual([[1], []])
    await clock.step(10_000)
    expect(rotations).toHaveLength(1)
    await watcher.stop(1_000)
  })

  it('answers orders of before its start, and ends no window for them', async () => {
    const { orderId } = await order()
    await watcher.start()
    expect(await desk.answers(orderId)).toMatchObject([
      { finishedAtMs: expect.any(Number), retired: [] },
    ])
    expect([observer.orders, rotations]).toEqual([[1], []])
    await watcher.stop(1_000)
  })

  it('does not start under an order that it cannot take over', async () => {
    await order({ toKekId: 'nobody has it' })
    await expect(watcher.start()).rejects.toMatchObject({ code: 'SEAL_KEK_DESTROYED' })
  })

  it('says why it goes on as before, once, and takes the order over when it can', async () => {
    await watcher.start()
    const { orderId } = await order({ toKekId: 'later' })
    await clock.step(10_000)
    expect(await desk.answers(orderId)).toMatchObject([
      { finishedAtMs: null, refusal: expect.stringContaining('later') },
    ])
    expect([desk.answered.length, rotations, observer.refusedOrders]).toEqual([1, [], [1]])
    kms.add('later')
    await clock.step(10_000)
    expect(rotations).toHaveLength(1)
    expect(await desk.answers(orderId)).toMatchObject([
      { finishedAtMs: expect.any(Number), refusal: null },
    ])
    expect(observer.refusedOrders).toEqual([])
    await watcher.stop(1_000)
  })

  it('does not call a KMS that is away a refusal, and answers requests meanwhile', async () => {
    await watcher.start()
    const { orderId } = await order()
    kms.failures.push(...Array.from({ length: 3 }, () => kmsAway()))
    const request = keyRequest()
    await desk.place(request)
    await clock.step(1_500)
    expect(await desk.answers(orderId)).toEqual([])
    expect(await desk.answers(request.requestId)).toHaveLength(1)
    await clock.step(5_000)
    expect(await desk.answers(orderId)).toHaveLength(1)
    await watcher.stop(1_000)
  })
})
