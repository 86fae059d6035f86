import { describe, expect, it, test } from 'vitest'
import { rewrapAll } from '../../../src/rewrap/job.ts'
import { rewrapDek } from '../../../src/rewrap/rewrap-dek.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { NEW_KEK, RewrapPlace, silent, THIRD_KEK } from '../../support/rewrap-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

class Killed extends Error {}

const control = { signal: new AbortController().signal, onRewrapped: () => {}, observer: silent }

/** Where a process may die: at every effect, before it and after it. */
async function moments(isUsed: boolean): Promise<string[]> {
  const place = new RewrapPlace()
  const { dekId } = await place.seal(isUsed)
  const names: string[] = []
  await rewrapDek(
    place.services((name) => void names.push(name)),
    place.scope(),
    dekId,
  )
  return names
}

/** Whoever asks for a KEK must find every DEK that a wrap of it is stored of. */
async function expectFound(place: RewrapPlace): Promise<void> {
  for (const { dekId } of place.deks) {
    for (const kekId of await place.keksOf(dekId)) {
      const found = await all(place.mapping.deksOfKek(kekId ?? ''))
      expect(found.map((dek) => dek.dekId)).toContain(dekId)
    }
    const ever = await all(place.mapping.deksOfKek(KEK_ID))
    expect(ever.map((dek) => dek.dekId)).toContain(dekId)
  }
}

test('the steps of a rewrap are in their order', async () => {
  const effects = (await moments(true)).filter((name) => name.startsWith('before'))
  expect(effects.map((name) => name.slice('before '.length))).toEqual([
    ...['register.find', 'directory.find', 'kms.rewrap', 'kms.unwrap', 'register.noteWrap'],
    ...['directory.replace', 'events.append', 'register.replaceWrap'],
  ])
})

describe.each([true, false])('a rewrap that is killed (the DEK sealed something: %s)', (isUsed) => {
  it('at any moment leaves all readable and found, and the next one goes on', async () => {
    const names = await moments(isUsed)
    expect(names.length).toBeGreaterThan(15)
    for (const [at, name] of names.entries()) {
      const place = new RewrapPlace()
      const { dekId } = await place.seal(isUsed)
      let left = at
      const dying = place.services(() => {
        if (left-- <= 0) throw new Killed(name)
      })
      await expect(rewrapDek(dying, place.scope(), dekId)).rejects.toBeInstanceOf(Killed)
      expect(await place.wrong(), name).toEqual([])
      await expectFound(place)

      expect(await rewrapAll(place.services(), place.scope(), control), name).toMatchObject({
        failures: [],
      })
      expect(await place.keksOf(dekId), name).toEqual([NEW_KEK, NEW_KEK])
      await expectFound(place)
      expect(
        place.events.all.map(({ kind }) => kind),
        name,
      ).toContain('rewrapped')
      place.kms.disable(KEK_ID)
      expect(await place.wrong(), name).toEqual([])
    }
  })

  it('and taken up towards another KEK ends under that one', async () => {
    const names = await moments(isUsed)
    for (const [at, name] of names.entries()) {
      const place = new RewrapPlace()
      const { dekId } = await place.seal(isUsed)
      let left = at
      const dying = place.services(() => {
        if (left-- <= 0) throw new Killed(name)
      })
      await expect(rewrapDek(dying, place.scope(), dekId)).rejects.toBeInstanceOf(Killed)
      const other = place.scope({ targetOf: () => THIRD_KEK })
      const { failures } = await rewrapAll(place.services(), other, control)
      expect(failures, name).toEqual([])
      const [inRegister, inDirectory] = await place.keksOf(dekId)
      expect(inDirectory, name).toBe(inRegister)
      expect([NEW_KEK, THIRD_KEK], name).toContain(inRegister)
      await expectFound(place)
      place.kms.disable(KEK_ID)
      expect(await place.wrong(), name).toEqual([])
    }
  })
})

it('every reference opens at every moment of a job over several DEKs', async () => {
  const place = new RewrapPlace()
  for (let i = 0; i < 5; i++) await place.seal()
  let looks = 0
  const services = place.services(async () => {
    looks++
    expect(await place.wrong()).toEqual([])
    await expectFound(place)
  })
  const report = await rewrapAll(services, place.scope(), control)
  expect(report).toEqual({ rewrapped: 5, failures: [], isStopped: false, isGivenUp: false })
  expect(looks).toBeGreaterThan(80)
})

describe('two rewraps at once', () => {
  /** Lets the others go on at each effect, in an order that the seed decides. */
  function shuffled(seed: number): () => Promise<void> {
    const random = new SeededRandom(seed)
    return async () => {
      const turns = random.below(6)
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it.each([
    ['to one KEK', NEW_KEK, 40],
    ['to two KEKs', THIRD_KEK, 40],
  ])('%s do no harm and leave nothing, in any order of steps', async (_what, target, seeds) => {
    for (let seed = 0; seed < seeds; seed++) {
      const place = new RewrapPlace()
      for (let i = 0; i < 4; i++) await place.seal(i > 0)
      const wait = shuffled(seed)
      const reports = await Promise.all([
        rewrapAll(place.services(wait), place.scope(), control),
        rewrapAll(place.services(wait), place.scope({ targetOf: () => target }), control),
      ])
      expect(
        reports.flatMap(({ failures }) => failures),
        `seed ${seed}`,
      ).toEqual([])
      for (const { dekId } of place.deks) {
        const [inRegister, inDirectory] = await place.keksOf(dekId)
        expect(inDirectory, `seed ${seed}`).toBe(inRegister)
        expect([NEW_KEK, target], `seed ${seed}`).toContain(inRegister)
      }
      await expectFound(place)
      place.kms.disable(KEK_ID)
      expect(await place.wrong(), `seed ${seed}`).toEqual([])
    }
  })
})
