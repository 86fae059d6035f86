import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { createDek } from '../../../src/keys/create-dek.ts'
import { KekFollower } from '../../../src/keys/kek-follower.ts'
import type { NewKekOrder } from '../../../src/keys/kek-orders.ts'
import { newKekOrder } from '../../contracts/kek-orders.contract.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { Gate } from '../../support/gate.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'
import { MemoryKeyEventLog } from '../../support/memory-key-event-log.ts'
import { settled } from '../../support/stepped-clock.ts'

const OLD = 'kek-old'
const NEW = 'kek-new'
const BAD = 'kek-nobody-has'
const OWN = 'kek-of-tenant'

let kms: FakeKms
let log: MemoryKekOrders
let clock: ManualClock
let keks: KekFollower

beforeEach(async () => {
  kms = new FakeKms(OLD, NEW, OWN)
  log = new MemoryKekOrders()
  clock = new ManualClock()
  keks = newFollower()
  await keks.start()
})

function newFollower(): KekFollower {
  const configured = { keyId: OLD, byDomain: new Map([['tenant', OWN]]) }
  return new KekFollower({ log, kms, clock, configured, longestDomain: 'orders' })
}

const kmsAway = () => new SealError('SEAL_KMS_UNAVAILABLE', 'away', { retryable: true })
const give = (changes: Partial<NewKekOrder> = {}) =>
  log.append(newKekOrder({ toKekId: NEW, ...changes }))
const sequences = (orders: readonly { readonly sequence: number }[]) =>
  orders.map(({ sequence }) => sequence)

describe('a follower of KEK orders', () => {
  it('starts with the configured KEKs, each seen to wrap', () => {
    expect([keks.kekOf('orders'), keks.kekOf('tenant')]).toEqual([OLD, OWN])
    expect(kms.calls.generate).toBe(2)
    expect(kms.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true)
  })

  it('takes an order over once its KEK has wrapped, and asks for nothing then', async () => {
    await give()
    const { taken, refused } = await keks.look()
    expect([sequences(taken), refused]).toEqual([[1], []])
    expect([keks.kekOf('orders'), keks.kekOf('tenant')]).toEqual([NEW, NEW])
    const calls = kms.calls.generate
    expect(await keks.look()).toEqual({ taken: [], refused: [] })
    expect(kms.calls.generate).toBe(calls)
  })

  it('takes no order over to a KEK that was retired, and does not start under one', async () => {
    await log.retire({ kekId: NEW, kekVersion: null, atMs: 0, actor: 'a@b', reason: 'leaked' })
    await give()
    const { taken, refused } = await keks.look()
    expect([taken, refused.map(({ error }) => error.code)]).toEqual([[], ['SEAL_KEK_FORBIDDEN']])
    expect(keks.kekOf('orders')).toBe(OLD)
    await expect(newFollower().start()).rejects.toMatchObject({ code: 'SEAL_KEK_FORBIDDEN' })
  })

  it('starts under a KEK of which another version was retired, not under that version', async () => {
    const version = { kekId: OLD, kekVersion: '1', atMs: 0, actor: 'a@b', reason: 'leaked' }
    await log.retire(version)
    await expect(newFollower().start()).rejects.toMatchObject({ code: 'SEAL_KEK_FORBIDDEN' })
    kms.rotate(OLD)
    await newFollower().start()
  })

  it('starts under the orders that stand, though the configured KEK is gone', async () => {
    await give({ keyDomain: null })
    kms.disable(OLD)
    const late = newFollower()
    await late.start()
    expect(late.kekOf('orders')).toBe(NEW)
  })

  it.each([
    ['an order', () => give({ toKekId: BAD }), /by KEK order 1 .*no key kek-nobody-has/],
    ['the configuration', async () => kms.disable(OWN), /the KEK of tenant in keyDomain.keks/],
  ])('does not start under a KEK of %s that does not wrap', async (_whose, prepare, words) => {
    await prepare()
    await expect(newFollower().start()).rejects.toThrow(words)
  })

  it('goes on as before while the new KEK does not wrap, and takes the order over when it does', async () => {
    await give({ toKekId: BAD })
    expect((await keks.look()).refused).toMatchObject([{ error: { code: 'SEAL_KEK_DESTROYED' } }])
    expect(keks.kekOf('orders')).toBe(OLD)
    const calls = kms.calls.generate
    await keks.look()
    expect(kms.calls.generate).toBe(calls)
    kms.add(BAD)
    clock.advance(5_000)
    expect(sequences((await keks.look()).taken)).toEqual([1])
    expect(keks.kekOf('orders')).toBe(BAD)
  })

  it('asks a KMS that was away again at once', async () => {
    await give()
    kms.failures.push(kmsAway())
    expect((await keks.look()).refused).toMatchObject([{ error: { retryable: true } }])
    expect(sequences((await keks.look()).taken)).toEqual([1])
  })

  it('takes a mistaken order over together with the one that mends it', async () => {
    await give({ toKekId: BAD })
    await give()
    const { taken, refused } = await keks.look()
    expect([sequences(taken), refused]).toEqual([[1, 2], []])
    expect(keks.kekOf('orders')).toBe(NEW)
  })

  it('takes over what it can while a later order is refused', async () => {
    await give({ keyDomain: 'tenant' })
    await give({ toKekId: BAD })
    const { taken, refused } = await keks.look()
    expect([sequences(taken), sequences(refused.map(({ order }) => order))]).toEqual([[1], [2]])
    expect([keks.kekOf('orders'), keks.kekOf('tenant')]).toEqual([OLD, NEW])
  })

  it('takes a contained order over at once: rather no key than one under the old KEK', async () => {
    await give({ toKekId: BAD, isContained: true })
    const calls = kms.calls.generate
    expect(sequences((await keks.look()).taken)).toEqual([1])
    expect(keks.kekOf('orders')).toBe(BAD)
    expect(kms.calls.generate).toBe(calls)
  })

  it('passes on what is no refusal', async () => {
    log.failures.push(new SealError('SEAL_MAPPING_UNAVAILABLE', 'away', { retryable: true }))
    await expect(keks.look()).rejects.toMatchObject({ code: 'SEAL_MAPPING_UNAVAILABLE' })
  })
})

describe('a DEK that is under way when an order is taken over', () => {
  it('is thrown away, and made under the new KEK, before anybody knows of it', async () => {
    const gate = new Gate()
    const made: string[] = []
    const slow = {
      generateDataKey: async (...asked: Parameters<FakeKms['generateDataKey']>) => {
        made.push(asked[0])
        const key = await kms.generateDataKey(...asked)
        await gate.pass()
        return key
      },
    }
    const records: string[] = []
    const making = createDek(
      {
        ...{ kms: slow, events: new MemoryKeyEventLog(), actor: 'test', kekOf: keks.kekOf, clock },
        keyStore: { recordDek: async ({ kekId }) => void records.push(kekId) },
      },
      'orders',
    )
    gate.close()
    await settled()
    await give()
    await keks.look()
    gate.open()
    const dek = await making
    expect(made).toEqual([OLD, NEW])
    expect(dek.record.kekId).toContain(NEW)
    expect(records).toEqual([dek.record.kekId])
    const [, , first] = kms.handedOut
    expect(first?.every((byte) => byte === 0)).toBe(true)
  })
})
