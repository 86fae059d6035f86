import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { DekRecord, KeyStore } from '../../src/keys/key-store.ts'
import type { WrapRegister } from '../../src/keys/wrap-register.ts'
import type { LookUps } from '../../src/mapping/look-ups.ts'
import type { MappingReader } from '../../src/mapping/mapping-store.ts'
import { all, dekRecord } from './mapping-store.contract.ts'

/** The sides of one store that a rewrap touches. */
export interface WrapRegisterParts {
  readonly register: WrapRegister
  readonly keys: KeyStore
  readonly reader: Pick<MappingReader, 'deksOfKek' | 'dekUnder' | 'findDek'> &
    Pick<LookUps, 'deksOfDomain'>
}

/** What every register of wraps keeps to. `parts` is called inside the tests. */
export function wrapRegisterContract(parts: () => WrapRegisterParts): void {
  const newKek = () => `arn:aws:kms:eu-west-1:111122223333:key/${randomUUID()}`
  const wrapOf = (dek: DekRecord, changes: Partial<DekRecord>): DekRecord => ({
    ...dek,
    ...{ wrapped: Buffer.from(randomUUID()) },
    ...changes,
  })
  const recorded = async (changes: Partial<DekRecord> = {}) => {
    const dek = dekRecord({ wrapped: Buffer.from(randomUUID()), ...changes })
    await parts().keys.recordDek(dek)
    return dek
  }
  /** Ids of the DEKs that the KEK ever wrapped, with what the look-up tells of the KEK. */
  const everUnder = async (kekId: string, version?: string) =>
    (await all(parts().reader.deksOfKek(kekId, version))).map((dek) => [dek.dekId, dek.kekVersion])

  test('a wrap is replaced by another that takes the place of exactly that one', async () => {
    const { register, reader } = parts()
    const dek = await recorded()
    const next = wrapOf(dek, { kekId: newKek(), kekVersion: '7' })
    const late = wrapOf(dek, { kekId: newKek(), kekVersion: '8' })
    expect(await register.find(randomUUID())).toBeNull()
    expect(await register.replaceWrap(next, dek.wrapped)).toBe(true)
    expect(await register.replaceWrap(next, dek.wrapped)).toBe(true)
    expect(await register.replaceWrap(late, dek.wrapped)).toBe(false)
    expect(await register.find(dek.dekId)).toEqual(next)
    const { kekId, kekVersion } = next
    expect(await reader.findDek(dek.dekId)).toMatchObject({ kekId, kekVersion })
    const ofDomain = await all(reader.deksOfDomain(dek.keyDomain))
    expect(ofDomain.find(({ dekId }) => dekId === dek.dekId)).toMatchObject({ kekId, kekVersion })
    const unknown = wrapOf(dekRecord(), {})
    expect(await register.replaceWrap(unknown, dek.wrapped)).toBe(false)
    expect(await register.find(unknown.dekId)).toBeNull()
  })

  test('of several who replace one wrap at the same moment, one does', async () => {
    const { register } = parts()
    const dek = await recorded()
    const wraps = ['1', '2', '3'].map((kekVersion) => wrapOf(dek, { kekVersion }))
    const done = await Promise.all(wraps.map((wrap) => register.replaceWrap(wrap, dek.wrapped)))
    expect(done.filter(Boolean)).toHaveLength(1)
    expect((await register.find(dek.dekId))?.wrapped).toEqual(wraps[done.indexOf(true)]?.wrapped)
  })

  test('a DEK is found by every KEK and version that ever wrapped it, once by each', async () => {
    const { register } = parts()
    const [old, next] = [newKek(), newKek()]
    const dek = await recorded({ kekId: old, kekVersion: '1' })
    const other = await recorded({ kekId: old, kekVersion: '1' })
    for (const [kekId, kekVersion] of [
      [old, '2'],
      [next, '1'],
      [next, '1'],
      [old, '3'],
    ] as const) {
      const wrap = wrapOf(dek, { kekId, kekVersion })
      await register.noteWrap(wrap)
      await register.replaceWrap(wrap, (await register.find(dek.dekId))?.wrapped ?? dek.wrapped)
    }
    const both = [
      [dek.dekId, '1'],
      [other.dekId, '1'],
    ]
    expect((await everUnder(old)).toSorted()).toEqual(both.toSorted())
    expect((await everUnder(old, '1')).toSorted()).toEqual(both.toSorted())
    expect(await everUnder(old, '2')).toEqual([[dek.dekId, '2']])
    expect(await everUnder(old, '3')).toEqual([[dek.dekId, '3']])
    expect(await everUnder(old, '4')).toEqual([])
    expect(await everUnder(next)).toEqual([[dek.dekId, '1']])
    const { reader } = parts()
    const under = async (entry: DekRecord, kekId: string, version?: string) =>
      (await reader.dekUnder(entry, kekId, version))?.kekVersion
    expect([await under(dek, old), await under(other, old)]).toEqual(['1', '1'])
    expect([await under(dek, old, '3'), await under(other, old, '3')]).toEqual(['3', undefined])
    expect([await under(dek, next), await under(other, next)]).toEqual(['1', undefined])
    const bare = next.slice(next.lastIndexOf('/') + 1)
    expect(await reader.dekUnder(dek, bare)).toMatchObject({ dekId: dek.dekId, kekId: next })
    expect(await everUnder(bare)).toEqual([[dek.dekId, '1']])
  })

  test('a KEK that tells no version is noted as well', async () => {
    const { register } = parts()
    const dek = await recorded()
    const kekId = newKek()
    await register.noteWrap(wrapOf(dek, { kekId, kekVersion: null }))
    expect(await everUnder(kekId)).toEqual([[dek.dekId, null]])
  })
}
