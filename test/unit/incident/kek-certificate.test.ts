import { beforeEach, describe, expect, it } from 'vitest'
import { newSigningKey, signerOf } from '../../../src/crypto/signing-key.ts'
import type { Dependent } from '../../../src/incident/dependent.ts'
import {
  type CertificateRequest,
  type CertificateSources,
  findDependents,
} from '../../../src/incident/kek-certificate.ts'
import { CERTIFICATE_TYPE, certificateOf } from '../../../src/incident/kek-statement.ts'
import { signStatement, verifyStatement } from '../../../src/incident/statement.ts'
import type { KeyAnswer } from '../../../src/keys/key-desk.ts'
import { rewrapAll } from '../../../src/rewrap/job.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'
import { MemoryKeyDesk } from '../../support/memory-key-desk.ts'
import { MemoryObjectInventory } from '../../support/memory-object-inventory.ts'
import { withMethods } from '../../support/rebuild-place.ts'
import { NEW_KEK, RewrapPlace, silent } from '../../support/rewrap-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'

let place: RewrapPlace
let inventory: MemoryObjectInventory
let office: MemoryKeyDesk
let orders: MemoryKekOrders
let met: Dependent[]

beforeEach(() => {
  place = new RewrapPlace()
  inventory = new MemoryObjectInventory(place.store)
  office = new MemoryKeyDesk(place.clock)
  orders = new MemoryKekOrders()
  met = []
})

function sources(over: Partial<CertificateSources> = {}, keyId = NEW_KEK): CertificateSources {
  const { mapping, directory, store: objects, clock, kms } = place
  const configured = { keyId, byDomain: new Map<string, string>() }
  return {
    ...{ mapping, wraps: mapping, register: mapping, directory, store: { inventory, objects } },
    use: { office, orders, kms, configured, longestDomain: 'orders', clock },
    ...over,
  }
}

function find(over: Partial<CertificateRequest> = {}, from = sources()) {
  const scope = { prefix: 'sealed', signal: new AbortController().signal, onScanned: () => {} }
  return findDependents(from, {
    ...{ kek: { kekId: KEK_ID, kekVersion: null }, dead: new Set(), allowRetained: false, scope },
    onDependent: (one) => void met.push(one),
    ...over,
  })
}

const rewrap = () =>
  rewrapAll(place.services(), place.scope(), {
    signal: new AbortController().signal,
    onRewrapped: () => {},
    observer: silent,
  })

function order() {
  return orders.append({
    ...{ orderId: '5ea15eed-0000-4000-8000-000000000001', placedAtMs: place.clock.nowMs() },
    ...{ actor: 'alice', reason: 'drill', keyDomain: null, fromKekId: null, toKekId: NEW_KEK },
    isContained: false,
  })
}

function announce(instanceId: string, keys: object[] = []) {
  const times = { startedAtMs: 1, seenAtMs: 1 }
  const instance = { instanceId, groupId: 'g', state: 'running' as const, ...times }
  return office.announce({ ...instance, keys: keys as never })
}

function answer(over: Partial<KeyAnswer>) {
  const about = { requestId: orders.all[0]?.orderId as string, instanceId: 'host-1' }
  const times = { acceptedAtMs: 1, finishedAtMs: 2 }
  return office.answer({ ...about, ...times, retired: [], refusal: null, ...over })
}

describe('a certificate', () => {
  it('is refused with names while one DEK is left, and not once it is rewrapped', async () => {
    await place.seal()
    const findings = await find()
    expect(findings).toMatchObject({ isClean: false, counts: { liveDeks: 1, objects: 1 } })
    expect(met.map(({ kind }) => kind)).toEqual(['object', 'dek'])
    await rewrap()
    expect(await find()).toMatchObject({ isClean: true, totals: { rewrapped: 1, versions: 1 } })
  })

  it('is refused, and nothing is walked over, while the KEK is in force for anything', async () => {
    const read = withMethods(inventory, {
      uploads: () => {
        throw new Error('walked over')
      },
    })
    const store = { inventory: read, objects: place.store }
    const findings = await find({}, sources({ store }, KEK_ID))
    expect(findings).toMatchObject({ isClean: false, users: [{ kind: 'force', name: null }] })
    await order()
    expect((await find({}, sources({}, KEK_ID))).isClean).toBe(true)
  })

  it('of a version asks the KMS which one wraps now', async () => {
    const kek = { kekId: KEK_ID, kekVersion: '1' }
    expect(await find({ kek }, sources({}, KEK_ID))).toMatchObject({
      isClean: false,
      users: [{ kind: 'force' }],
    })
    place.kms.rotate(KEK_ID)
    expect((await find({ kek }, sources({}, KEK_ID))).isClean).toBe(true)
  })

  it('is refused while an encryptor seals under the KEK', async () => {
    const { kekId, dekId } = await place.seal()
    await rewrap()
    await announce('host-1', [{ dekId, kekId, kekVersion: '1', keyDomain: 'orders' }])
    const { users, isClean } = await find()
    expect([isClean, users]).toMatchObject([false, [{ kind: 'instance', name: 'host-1' }]])
    expect((await find({ kek: { kekId: KEK_ID, kekVersion: '2' } })).isClean).toBe(true)
  })

  it('is refused while an encryptor is silent, unless it is known to have ended', async () => {
    await announce('host-1')
    expect((await find()).isClean).toBe(true)
    place.clock.advance(60_000)
    expect(await find()).toMatchObject({ isClean: false, users: [{ name: 'host-1' }] })
    expect((await find({ dead: new Set(['host-1']) })).isClean).toBe(true)
  })

  it('is refused until every encryptor has confirmed the order that took the KEK out of force', async () => {
    await order()
    await announce('host-1')
    const reasons = async () => (await find()).users.map(({ reason }) => reason)
    expect(await reasons()).toEqual([expect.stringContaining('not confirmed KEK order 1')])
    await answer({ finishedAtMs: null, refusal: 'no rights' })
    expect(await reasons()).toEqual([expect.stringContaining('no rights')])
    await answer({})
    expect(await reasons()).toEqual([])
  })

  it('is refused when the KEK comes into force, or a DEK under it, while it is scanned', async () => {
    await place.seal()
    await rewrap()
    const during = (work: () => Promise<unknown>) => {
      const read = withMethods(inventory, {
        objects: async function* (prefix: string) {
          if (prefix.includes('segments')) await work()
          yield* inventory.objects(prefix)
        },
      })
      return find({}, sources({ store: { inventory: read, objects: place.store } }))
    }
    expect(await during(() => place.seal(false))).toMatchObject({ isClean: false, newDeks: 1 })
    await rewrap()
    const back = { toKekId: KEK_ID, orderId: '5ea15eed-0000-4000-8000-000000000002' }
    const { users, isClean } = await during(async () =>
      orders.append({ ...(await order()), ...back }),
    )
    expect([isClean, users[0]]).toMatchObject([false, { kind: 'force' }])
  })

  it('states copies that the store keeps only when it is told to', async () => {
    const dek = await place.seal()
    const { objectKey, segmentId } = place.segments[0] as (typeof place.segments)[number]
    inventory.cover(objectKey)
    const done = { atMs: 1, byDekId: dek.dekId, retainedUntilMs: 5_000 }
    await place.mapping.recordReplaced({ dekId: dek.dekId, segmentId }, done)
    expect((await find()).counts).toMatchObject({ objects: 1, retainedObjects: 0 })
    const [version] = met.filter((one) => one.kind === 'object')
    inventory.retained.set(version?.versionId ?? '', 5_000)
    expect(await find()).toMatchObject({ isClean: false, remaining: [] })
    expect(await find({ allowRetained: true })).toMatchObject({
      isClean: true,
      counts: { retainedObjects: 1, retainedDeks: 1 },
      remaining: [{ object: objectKey, dekId: dek.dekId, until: '1970-01-01T00:00:05.000Z' }],
    })
    inventory.retained.set(version?.versionId ?? '', Number.POSITIVE_INFINITY)
    expect((await find({ allowRetained: true })).remaining).toMatchObject([{ until: null }])
  })
})

describe('the statement', () => {
  const origin = {
    place: { bucket: 'b', prefix: 'sealed', endpoint: null, keyspace: 'k' },
    ...{ tool: { name: 'sealstream', version: '1' }, by: 'alice@ops-7' },
  }
  const signer = signerOf(newSigningKey().privatePem)
  const kek = { kekId: KEK_ID, kekVersion: '1' }

  it('says what was found where, and is verified by key or fingerprint alone', async () => {
    await place.seal(false)
    const text = signStatement(
      certificateOf(kek, { ...(await find({ kek: { ...kek, kekVersion: '2' } })) }, origin, signer),
      signer,
    )
    const byKey = verifyStatement(text, { publicPem: signer.publicPem })
    expect(byKey).toMatchObject({
      predicateType: CERTIFICATE_TYPE,
      subject: [{ name: `KEK ${KEK_ID} version 1` }],
      predicate: {
        ...{ kek, by: 'alice@ops-7', dependents: { deks: 0, objects: 0 }, remainingCopies: [] },
        ...{ place: origin.place, signedBy: { fingerprint: signer.fingerprint } },
      },
    })
    expect(verifyStatement(text, { fingerprint: signer.fingerprint })).toEqual(byKey)
    const other = signerOf(newSigningKey().privatePem)
    for (const trusted of [{ publicPem: other.publicPem }, { fingerprint: other.fingerprint }]) {
      expect(() => verifyStatement(text, trusted)).toThrow(
        expect.objectContaining({ code: 'SEAL_STATEMENT_REFUSED' }),
      )
    }
  })

  it('is not made of findings that are not clean', async () => {
    await place.seal()
    const findings = await find()
    expect(() => certificateOf(kek, findings, origin, signer)).toThrow('not clean')
  })
})
