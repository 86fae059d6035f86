import { beforeEach, describe, expect, it } from 'vitest'
import type { KekOrderServices } from '../../../src/keys/give-kek-order.ts'
import type { InstanceKeys } from '../../../src/keys/key-desk.ts'
import { contain } from '../../../src/response/contain.ts'
import { announced } from '../../contracts/key-desk.contract.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { declaration, stepControl } from '../../support/incident-place.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'
import { MemoryKeyDesk } from '../../support/memory-key-desk.ts'

const OLD = 'kek-old'
const NEW = 'kek-new'
const CANARY = 'kek-canary'

let clock: ManualClock
let desk: MemoryKeyDesk
let orders: MemoryKekOrders
let kms: FakeKms
let services: KekOrderServices
let instance: InstanceKeys

beforeEach(async () => {
  clock = new ManualClock()
  desk = new MemoryKeyDesk(clock)
  orders = new MemoryKekOrders()
  kms = new FakeKms(OLD, NEW, CANARY)
  instance = announced({ instanceId: 'a/1/00000000' })
  await use(OLD, '1')
  services = {
    ...{ office: desk, orders, kms, clock, longestDomain: 'orders', areSharedKeksAllowed: false },
    configured: { keyId: OLD, byDomain: new Map([['canary', CANARY]]) },
  }
})

/** The instance tells that it has a DEK under this KEK. */
async function use(kekId: string, kekVersion: string | null): Promise<void> {
  const key = {
    dekId: 'd',
    keyDomain: 'orders',
    kekId,
    kekVersion,
    since: 0,
    messages: 1,
    bytes: 1,
  }
  instance = { ...instance, keys: [key] }
  await desk.announce(instance)
}

/** What the instance does with the first request that comes, if anything. */
function answering(kekId: string, kekVersion: string | null, isFinished = true): void {
  desk.answers = async (requestId) => {
    await use(kekId, kekVersion)
    await desk.answer({
      ...{
        requestId,
        instanceId: instance.instanceId,
        acceptedAtMs: 1,
        retired: [],
        refusal: null,
      },
      finishedAtMs: isFinished ? 2 : null,
    })
    return MemoryKeyDesk.prototype.answers.call(desk, requestId)
  }
}

const leaked = declaration({ kekId: OLD, newKekId: NEW })
const dead = new Set(['a/1/00000000'])

describe('containment', () => {
  it('gives one contained order for what has the old KEK, however often it is done', async () => {
    answering(NEW, '1')
    for (let turn = 0; turn < 2; turn++) {
      expect(await contain(services, leaked, stepControl())).toMatchObject({
        ...{ kind: 'done', details: { instances: 1, unconfirmed: [] } },
      })
    }
    expect(orders.all).toHaveLength(1)
    const [order] = orders.all
    expect(order).toMatchObject({ fromKekId: OLD, isContained: true, orderId: leaked.orderId })
    expect(order?.toKekId).toContain(NEW)
    expect(order?.reason).toBe('incident 2026-01-02-aaaaaa: leaked')
  })

  it('is not done while an instance has not confirmed, unless it is known to have ended', async () => {
    answering(NEW, '1', false)
    const open = await contain(services, leaked, stepControl())
    expect(open).toMatchObject({ kind: 'unanswered', reason: expect.stringContaining('--dead') })
    desk.answers = async () => []
    clock.advance(20_000)
    expect((await contain(services, leaked, stepControl())).kind).toBe('unanswered')
    expect((await contain(services, leaked, stepControl({ dead }))).kind).toBe('done')
  })

  it('is not done while somebody uses the old KEK though all confirmed', async () => {
    answering(OLD, '1')
    expect(await contain(services, leaked, stepControl())).toMatchObject({
      ...{ kind: 'unanswered', reason: 'still under kek-old: DEK d of a/1/00000000' },
    })
  })

  it('refuses a new KEK that does not wrap, that was retired, or that others have', async () => {
    const to = (newKekId: string) => contain(services, { ...leaked, newKekId }, stepControl())
    await expect(to('nobody')).rejects.toMatchObject({ code: 'SEAL_KEK_DESTROYED' })
    await expect(to(CANARY)).rejects.toMatchObject({ code: 'SEAL_INPUT_INVALID' })
    await orders.retire({ kekId: NEW, kekVersion: null, atMs: 0, actor: 'a', reason: 'leaked too' })
    // Switched off as well, as it should be: what is said is that it was retired.
    kms.disable(NEW)
    await expect(to(NEW)).rejects.toMatchObject({ code: 'SEAL_KEK_FORBIDDEN' })
    expect(orders.all).toEqual([])
  })

  it('to a new version ends all windows once the KMS has one, and sees that it is used', async () => {
    const ofOne = { ...leaked, kekVersion: '1', newKekId: null }
    await expect(contain(services, ofOne, stepControl())).rejects.toMatchObject({
      code: 'SEAL_KEK_FORBIDDEN',
    })
    kms.rotate(OLD)
    answering(OLD, '1')
    expect((await contain(services, ofOne, stepControl())).kind).toBe('unanswered')
    answering(OLD, '2')
    expect((await contain(services, ofOne, stepControl())).kind).toBe('done')
    expect(orders.all).toEqual([])
  })
})
