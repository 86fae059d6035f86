import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { DekRecord } from '../../../src/keys/key-store.ts'
import { kmsContextOf } from '../../../src/keys/kms-context.ts'
import { type RewrapServices, rewrapAll } from '../../../src/rewrap/job.ts'
import { planRewrap } from '../../../src/rewrap/plan.ts'
import type { RewrapScope } from '../../../src/rewrap/scope.ts'
import { LIST_PRICES } from '../../../src/service-costs.ts'
import { NEW_KEK, RewrapPlace, silent, THIRD_KEK } from '../../support/rewrap-place.ts'
import { KEK_ID, makeDek } from '../../support/sealed-segment.ts'
import type { AtEffect } from '../../support/told-effects.ts'

let place: RewrapPlace
let stop: AbortController
let done: string[]

beforeEach(() => {
  place = new RewrapPlace()
  stop = new AbortController()
  done = []
})

function run(changes: Partial<RewrapScope> = {}, services: Partial<RewrapServices> = {}) {
  const onRewrapped = (dekId: string) => void done.push(dekId)
  const control = { signal: stop.signal, onRewrapped, observer: silent }
  return rewrapAll({ ...place.services(), ...services }, place.scope(changes), control)
}

/** Services whose named effect fails, before it happens, as often as there are errors. */
function failing(effect: string, errors: Error[]): RewrapServices {
  const atEffect: AtEffect = (name) => {
    const error = name === `before ${effect}` ? errors.shift() : undefined
    if (error !== undefined) throw error
  }
  return place.services(atEffect)
}

const passing = () => new SealError('SEAL_KMS_UNAVAILABLE', 'away', { retryable: true })

describe('a rewrap', () => {
  it('moves every DEK, with the calls that it was planned for, and the next has nothing to do', async () => {
    for (let i = 0; i < 3; i++) await place.seal()
    const pace = { kmsCallsPerSecond: 2, prices: LIST_PRICES }
    const plan = () =>
      planRewrap({ mapping: place.mapping, register: place.mapping }, place.scope(), pace)
    expect(await plan()).toEqual({
      ...{ deks: 3, toRewrap: 3, targets: [{ kekId: NEW_KEK, deks: 3 }] },
      ...{ kmsCalls: 9, costUsd: 0.000027, seconds: 4.5 },
    })
    expect(await run()).toEqual({ rewrapped: 3, failures: [], isStopped: false, isGivenUp: false })
    // The KMS of the tests unwraps once in each rewrap.
    expect(place.kms.calls.unwrap).toBe(6)
    expect(new Set(done)).toEqual(new Set(place.deks.map(({ dekId }) => dekId)))
    expect(await plan()).toMatchObject({ deks: 3, toRewrap: 0, kmsCalls: 0 })
    expect((await run()).rewrapped).toBe(0)
    expect(place.kms.calls.unwrap).toBe(6)
  })

  it('tells it as an event with the new KEK', async () => {
    const { dekId } = await place.seal()
    await run()
    expect(place.events.all).toEqual([
      {
        ...{ dekId, kind: 'rewrapped', atMs: expect.any(Number), actor: 'alice@ops-7' },
        ...{ reason: 'rewrap: yearly', kekId: expect.stringContaining(NEW_KEK), kekVersion: '1' },
      },
    ])
  })

  it('of one version leaves the others alone, and keeps every version on record', async () => {
    const first = await place.seal()
    place.kms.rotate(KEK_ID)
    const second = await place.seal()
    place.kms.rotate(KEK_ID)
    const report = await run({ kekVersion: '1', targetOf: () => KEK_ID })
    expect(report).toMatchObject({ rewrapped: 1, failures: [] })
    expect((await place.mapping.find(first.dekId))?.kekVersion).toBe('3')
    expect((await place.mapping.find(second.dekId))?.kekVersion).toBe('2')
    const under = async (version: string) => {
      const ids: string[] = []
      for await (const { dekId } of place.mapping.deksOfKek(KEK_ID, version)) ids.push(dekId)
      return ids
    }
    expect([await under('1'), await under('3')]).toEqual([[first.dekId], [first.dekId]])
  })

  it('to the KEK that is to be replaced is refused by what comes of it', async () => {
    const { dekId } = await place.seal()
    const { failures } = await run({ kekVersion: '1', targetOf: () => KEK_ID })
    expect(failures).toMatchObject([{ dekId, code: 'SEAL_KMS_REFUSED' }])
    expect(failures[0]?.message).toContain('version 1, which is what is to be replaced')
    expect(await place.keksOf(dekId)).toEqual([KEK_ID, KEK_ID])
  })

  it('makes the entry of the key directory where it is missing', async () => {
    const { dekId } = await place.seal()
    place.store.objects.delete(`sealed/deks/${dekId}.json`)
    expect(await run()).toMatchObject({ rewrapped: 1, failures: [] })
    expect(await place.keksOf(dekId)).toEqual([NEW_KEK, NEW_KEK])
  })

  it('passes over a DEK whose making was cut off', async () => {
    const record = (await makeDek(place.kms)).record
    await place.mapping.noteWrap(record)
    const mapping = {
      async *deksOfKek() {
        yield { ...record }
      },
    }
    expect(await run({}, { mapping })).toMatchObject({ rewrapped: 0, failures: [] })
  })

  it('puts a wrap of before, which somebody brought back, right again', async () => {
    const old = await place.seal()
    await run()
    await place.forge(old)
    expect(await place.keksOf(old.dekId)).toEqual([NEW_KEK, KEK_ID])
    expect(await run()).toMatchObject({ rewrapped: 1, failures: [] })
    expect(await place.keksOf(old.dekId)).toEqual([NEW_KEK, NEW_KEK])
  })
})

describe('a rewrap meets trouble and', () => {
  it.each([
    'kms.rewrap',
    'kms.unwrap',
    'register.noteWrap',
    'directory.replace',
    'events.append',
    'register.replaceWrap',
  ])('tries again what passes: %s', async (effect) => {
    const { dekId } = await place.seal()
    const report = await run({}, failing(effect, [passing(), passing()]))
    expect(report).toMatchObject({ rewrapped: 1, failures: [] })
    expect(await place.keksOf(dekId)).toEqual([NEW_KEK, NEW_KEK])
  })

  it('names the DEK that cannot be moved, and goes on with the others', async () => {
    const [first] = [await place.seal(), await place.seal(), await place.seal()]
    const denied = new SealError('SEAL_KMS_DENIED', 'no right to it')
    const rewrap: RewrapServices['kms']['rewrap'] = (...asked) =>
      asked[3].dek === first?.dekId ? Promise.reject(denied) : place.kms.rewrap(...asked)
    const kms = { rewrap, unwrap: place.kms.unwrap.bind(place.kms) }
    expect(await run({}, { kms })).toMatchObject({
      rewrapped: 2,
      failures: [{ dekId: first?.dekId, code: 'SEAL_KMS_DENIED', message: 'no right to it' }],
      isGivenUp: false,
    })
    expect(await place.wrong()).toEqual([])
  })

  it('gives up when nothing goes through any more', async () => {
    for (let i = 0; i < 40; i++) await place.seal()
    place.kms.disable(NEW_KEK)
    const { failures, isGivenUp, isStopped } = await run()
    expect([isGivenUp, isStopped]).toEqual([true, false])
    expect(failures.length).toBeGreaterThanOrEqual(20)
    expect(failures.length).toBeLessThan(30)
  })

  it('stops between two DEKs when it is asked to', async () => {
    for (let i = 0; i < 40; i++) await place.seal()
    const control = {
      ...{ signal: stop.signal, observer: silent },
      onRewrapped: (dekId: string) => {
        done.push(dekId)
        if (done.length === 3) stop.abort()
      },
    }
    const report = await rewrapAll(place.services(), place.scope(), control)
    expect(report).toMatchObject({ isStopped: true, isGivenUp: false, failures: [] })
    expect(report.rewrapped).toBeLessThan(15)
    for (const { dekId } of place.deks) {
      const [inRegister, inDirectory] = await place.keksOf(dekId)
      expect(inRegister).toBe(inDirectory)
    }
  })

  it('passes on what is no failure of ours', async () => {
    await place.seal()
    const broken = failing('kms.rewrap', [new TypeError('a mistake')])
    await expect(run({}, broken)).rejects.toThrow('a mistake')
  })
})

describe('a new wrap is stored only when it holds the DEK', () => {
  /** A wrap of another key, for the same context. */
  async function otherWrap({ dekId, keyDomain }: DekRecord) {
    const context = kmsContextOf(dekId, keyDomain)
    const { plaintext: _, ...wrap } = await place.kms.generateDataKey(NEW_KEK, context)
    return wrap
  }

  it.each([
    [true, 'opens none of its segments'],
    [false, 'holds another key'],
  ])('by a segment of it, or by the old wrap (it sealed: %s)', async (isUsed, words) => {
    const dek = await place.seal(isUsed)
    const wrap = await otherWrap(dek)
    const kms = { rewrap: async () => wrap, unwrap: place.kms.unwrap.bind(place.kms) }
    const { failures } = await run({}, { kms })
    expect(failures).toMatchObject([{ code: 'SEAL_COMMITMENT_MISMATCH' }])
    expect(failures[0]?.message).toContain(words)
    expect(await place.keksOf(dek.dekId)).toEqual([KEK_ID, KEK_ID])
    expect(place.kms.handedOut.at(-1)?.every((byte) => byte === 0)).toBe(true)
  })

  it('and one segment that was damaged proves nothing', async () => {
    const dek = await makeDek(place.kms)
    await place.mapping.recordDek(dek.record)
    await place.directory.record(dek.record)
    await place.sealUnder(dek)
    await place.sealUnder(dek)
    const object = place.store.objects.get(place.segments[0]?.objectKey ?? '')
    object?.bytes.writeUInt8(1, 130)
    expect(await run()).toMatchObject({ rewrapped: 1, failures: [] })
  })

  it('so a forged entry of the key directory is not taken over, but replaced', async () => {
    const dek = await place.seal()
    await place.forge({ ...dek, ...(await otherWrap(dek)) })
    expect(await run()).toMatchObject({ rewrapped: 1, failures: [] })
    place.kms.disable(KEK_ID)
    expect(await place.wrong()).toEqual([])
  })

  it('so a forged entry beside a wrap that is not in scope is told, and left', async () => {
    const dek = await place.seal()
    await run()
    await place.forge({ ...dek, ...(await otherWrap(dek)) })
    const { failures } = await run()
    expect(failures).toMatchObject([{ dekId: dek.dekId, code: 'SEAL_COMMITMENT_MISMATCH' }])
    expect((await place.keksOf(dek.dekId))[0]).toBe(NEW_KEK)
  })

  it('so the entry of another DEK is told', async () => {
    const [dek, other] = [await place.seal(), await place.seal()]
    await place.forge(other, dek.dekId)
    const { failures } = await run()
    expect(failures).toMatchObject([{ dekId: dek.dekId, code: 'SEAL_KEY_TAMPERED' }])
  })

  it('and no longer than readers take', async () => {
    await place.seal()
    const wrap = { wrapped: Buffer.alloc(1_025), kekId: THIRD_KEK, kekVersion: null }
    const kms = { rewrap: async () => wrap, unwrap: place.kms.unwrap.bind(place.kms) }
    expect((await run({}, { kms })).failures).toMatchObject([{ code: 'SEAL_KMS_REFUSED' }])
  })
})
