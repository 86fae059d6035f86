import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { probeKek } from '../../../src/keys/check-kek.ts'
import type { KekAdmin } from '../../../src/keys/kek-admin.ts'
import { openedBy } from '../../../src/response/opened-by.ts'
import { prove } from '../../../src/response/prove.ts'
import { retire } from '../../../src/response/retire.ts'
import { rewrapDeks } from '../../../src/response/rewrap-deks.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { declaration, stepControl } from '../../support/incident-place.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'
import { MemoryObjectInventory } from '../../support/memory-object-inventory.ts'
import { MemoryRotationLog } from '../../support/memory-rotation-log.ts'
import { NEW_KEK, RewrapPlace } from '../../support/rewrap-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'

const leaked = declaration({ kekId: KEK_ID, newKekId: NEW_KEK })

describe('the proof', () => {
  let place: RewrapPlace

  beforeEach(() => {
    place = new RewrapPlace()
  })

  function proven(of = leaked) {
    const { mapping, directory, store: objects, clock } = place
    const inventory = new MemoryObjectInventory(objects)
    const store = { inventory, objects }
    const dependents = { mapping, wraps: mapping, register: mapping, directory, store }
    const sources = { mapping, rotation: new MemoryRotationLog(mapping) }
    return prove({ dependents, sources, clock, prefix: 'sealed' }, of, stepControl())
  }

  const rewrapped = () =>
    rewrapDeks({ ...place.services(), targetOf: () => NEW_KEK }, leaked, stepControl())

  it('fails while anything is wrapped by the old key, and names it', async () => {
    const dek = await place.seal()
    const ending = await proven()
    expect(ending).toMatchObject({
      kind: 'unproven',
      details: { dependentDeks: 1, dependentObjects: 1 },
    })
    expect(ending.details.names).toContainEqual(expect.stringContaining(dek.dekId))
  })

  it('fails when DEKs were only rewrapped: the objects name a wrap that the old key opens', async () => {
    await place.seal()
    expect(await rewrapped()).toMatchObject({ kind: 'done', details: { rewrapped: 1, failed: 0 } })
    expect(await proven()).toMatchObject({
      ...{ kind: 'unproven', details: { dependentDeks: 0, dependentObjects: 0, opened: 1 } },
    })
  })

  it('comes to its end when nothing is there that the old key opens', async () => {
    const { dekId } = await place.seal(false)
    expect(await proven()).toMatchObject({ kind: 'unproven', details: { dependentDeks: 1 } })
    await rewrapped()
    expect(await proven()).toMatchObject({ kind: 'done', details: { directoryEntries: 1 } })
    expect(dekId).toBeDefined()
  })

  it('of one version goes by the index where objects do not tell theirs', async () => {
    await place.seal()
    place.kms.rotate(KEK_ID)
    const ofOne = { ...leaked, kekVersion: '1', newKekId: null }
    const services = { ...place.services(), targetOf: () => KEK_ID }
    await rewrapDeks(services, ofOne, stepControl())
    expect(await proven(ofOne)).toMatchObject({ kind: 'unproven', details: { opened: 1 } })
  })

  it('is left when a DEK cannot be rewrapped', async () => {
    await place.seal()
    place.kms.destroy(KEK_ID)
    expect(await rewrapped()).toMatchObject({ kind: 'left', details: { failed: 1 } })
  })

  it('tries a KEK on the wraps of objects, and takes missing rights for no answer', async () => {
    await place.seal()
    const { store: objects, kms } = place
    const keys = place.segments.map(({ objectKey }) => objectKey)
    expect(await openedBy({ objects, kms }, keys, KEK_ID)).toEqual(keys)
    expect(await openedBy({ objects, kms }, keys, NEW_KEK)).toEqual([])
    kms.disable(KEK_ID)
    expect(await openedBy({ objects, kms }, [...keys, 'gone'], KEK_ID)).toEqual([])
    kms.failures.push(new SealError('SEAL_KMS_DENIED', 'no rights'))
    await expect(openedBy({ objects, kms }, keys, KEK_ID)).rejects.toThrow('no rights')
  })
})

describe('the check of the new KEK', () => {
  it('sees that it wraps and opens, and wipes what came out', async () => {
    const kms = new FakeKms('kek')
    expect(await probeKek(kms, 'kek', 'orders')).toMatchObject({ kekVersion: '1' })
    expect(kms.handedOut).toHaveLength(2)
    expect(kms.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true)
    const other = { ...kms, generateDataKey: kms.generateDataKey.bind(kms) }
    const liar = { ...other, unwrap: async () => new Uint8Array(32) }
    await expect(probeKek(liar, 'kek', 'orders')).rejects.toMatchObject({
      code: 'SEAL_KMS_REFUSED',
    })
  })
})

describe('the retiring of a key', () => {
  let orders: MemoryKekOrders
  let kms: FakeKms
  let ended: string[]
  const clock = new ManualClock()
  const admin: KekAdmin = {
    async end(kekId) {
      ended.push(kekId)
      kms.disable(kekId)
      return { kind: 'disabled', remains: ['delete it later'] }
    },
  }

  beforeEach(() => {
    orders = new MemoryKekOrders()
    kms = new FakeKms(KEK_ID)
    ended = []
  })

  const retired = (control = {}, of = leaked, by: KekAdmin | null = admin) =>
    retire({ orders, kms, clock, admin: by, byHand: ['do this'] }, of, stepControl(control))

  it('marks it for good, and says what is left to do by hand', async () => {
    expect(await retired()).toMatchObject({
      kind: 'done',
      details: { inKms: 'by-hand', toDo: ['do this'] },
    })
    expect(orders.ended).toMatchObject([{ kekId: KEK_ID, kekVersion: null }])
    expect(ended).toEqual([])
  })

  it('switches it off in the KMS when that is wanted, and sees that it is', async () => {
    expect(await retired({ isKmsTold: true })).toMatchObject({
      ...{ kind: 'done', details: { inKms: 'disabled', refusedWith: 'SEAL_KEK_DISABLED' } },
    })
    expect(ended).toEqual([KEK_ID])
  })

  it('does not believe a KMS that goes on wrapping', async () => {
    const lazy: KekAdmin = { end: async () => ({ kind: 'disabled', remains: [] }) }
    expect(await retired({ isKmsTold: true }, leaked, lazy)).toMatchObject({ kind: 'unproven' })
  })

  it('of a drill marks nothing and switches nothing off', async () => {
    expect(await retired({ isKmsTold: true }, { ...leaked, kind: 'drill' })).toMatchObject({
      ...{ kind: 'done', details: { marked: false } },
    })
    expect([orders.ended, ended]).toEqual([[], []])
  })
})
