import { beforeEach, describe, expect, it } from 'vitest'
import type { Dek } from '../../../src/keys/dek.ts'
import { columnsOf, messagesFrom } from '../../contracts/mapping-store.contract.ts'
import { messages } from '../../support/messages.ts'
import { RebuildPlace } from '../../support/rebuild-place.ts'
import type { SealedSegment } from '../../support/sealed-segment.ts'

let place: RebuildPlace
let dek: Dek
let segment: SealedSegment

beforeEach(async () => {
  place = new RebuildPlace()
  dek = await place.dek()
  segment = await place.seal(dek, messages(4))
  await place.seal(await place.dek(), messages(2))
})

const key = () => ({ dekId: dek.record.dekId, segmentId: segment.segmentId })
const prove = () => place.prove({ dekId: dek.record.dekId })
const counts = { segments: 1, messages: 4, missing: 0, elsewhere: 0, extra: 0 }

describe('the proof of an impact', () => {
  it('holds when the index tells what the store holds under the DEK', async () => {
    expect(await prove()).toEqual({
      ...{ isProven: true, versions: 2, unread: 0, underWay: 0, differences: [] },
      deks: [{ dekId: dek.record.dekId, isOnRecord: true, ...counts }],
    })
    expect(await place.prove({ dekId: ` ${dek.record.dekId.toUpperCase()} ` })).toMatchObject({
      isProven: true,
    })
  })

  it('counts and names what the index does not tell', async () => {
    place.mapping.alterRows(key(), ({ offset, ...row }) =>
      offset === 100 ? null : { offset, ...row, length: row.length + (offset === 101 ? 1 : 0) },
    )
    const proof = await prove()
    expect(proof.isProven).toBe(false)
    expect(proof.deks).toMatchObject([{ ...counts, missing: 1, elsewhere: 1 }])
    const at = { object: segment.objectKey, dekId: dek.record.dekId, count: 1 }
    expect(proof.differences).toEqual([
      { kind: 'missing', ...at },
      { kind: 'elsewhere', ...at },
    ])
    place.mapping.lose(key(), 'intent')
    expect((await prove()).deks).toMatchObject([{ ...counts, missing: 4 }])
  })

  it('counts and names what the index tells and no object holds', async () => {
    const gone = await place.seal(dek, messages(3))
    place.store.objects.delete(gone.objectKey)
    await place.mapping.writeRows(key(), segment.objectKey, columnsOf(messagesFrom(900, 2)))
    const proof = await prove()
    expect([proof.isProven, proof.deks[0]]).toMatchObject([false, { ...counts, extra: 5 }])
    expect(proof.differences.map(({ count, object }) => [count, object])).toEqual([
      [2, segment.objectKey],
      [3, gone.objectKey],
    ])
  })

  it('lets what was only intended, or swept, be on record without an object', async () => {
    for (const isSwept of [true, false]) {
      const without = ['sealed', 'references', 'published'] as const
      const dead = await place.seal(dek, messages(3), { without })
      place.store.objects.delete(dead.objectKey)
      const dekId = dek.record.dekId
      if (isSwept) await place.mapping.markSwept({ ...key(), segmentId: dead.segmentId, dekId }, 1)
    }
    expect(await prove()).toMatchObject({ isProven: true, deks: [counts] })
  })

  it('counts older versions, and each segment once however many versions say it', async () => {
    place.inventory.replace(segment.objectKey, segment.bytes, segment.metadata)
    place.inventory.cover(segment.objectKey)
    expect(await prove()).toMatchObject({ isProven: true, versions: 3, deks: [counts] })
  })

  it('does not hold for a DEK that is on no record, and tells what the store holds', async () => {
    place.mapping.loseDek(dek.record.dekId)
    expect(await prove()).toMatchObject({
      ...{ isProven: false, deks: [{ ...counts, isOnRecord: false }] },
    })
  })

  it('does not hold while an object that may be under the DEK cannot be read', async () => {
    const { bytes, metadata, objectKey } = segment
    const other = await place.seal(await place.dek(), messages(1))
    place.store.objects.set(other.objectKey, {
      bytes: other.bytes.subarray(1),
      metadata: other.metadata,
    })
    expect((await prove()).isProven).toBe(true)
    place.store.objects.set(`${objectKey}x`, { bytes: bytes.subarray(1), metadata })
    const proof = await prove()
    expect(proof).toMatchObject({ isProven: false, unread: 1 })
    expect(proof.differences).toMatchObject([{ kind: 'unread', dekId: dek.record.dekId }])
    place.store.objects.set(`${objectKey}x`, { bytes, metadata: {} })
    expect(await prove()).toMatchObject({ unread: 1, differences: [{ dekId: null }] })
  })

  it('leaves out a segment that an encryptor is at work on', async () => {
    const without = ['rows', 'sealed', 'references', 'published'] as const
    await place.seal(dek, messages(3), { without })
    expect(await prove()).toMatchObject({ isProven: true, underWay: 1 })
    place.clock.advance(24 * 3_600_000)
    expect(await prove()).toMatchObject({ isProven: false, underWay: 0 })
  })
})

describe('the proof of the impact of a KEK', () => {
  const kekId = () => dek.record.kekId

  it('takes every DEK on record, in full or by the bare id', async () => {
    const bare = kekId().split('/').at(-1) as string
    for (const one of [kekId(), bare]) {
      const proof = await place.prove({ kekId: one })
      expect([proof.isProven, proof.deks.length]).toEqual([true, 2])
    }
  })

  it('takes DEKs that the key directory or an object alone knows', async () => {
    place.mapping.loseDek(dek.record.dekId)
    const proof = await place.prove({ kekId: kekId() })
    expect(proof.isProven).toBe(false)
    expect(proof.deks.filter((one) => !one.isOnRecord)).toMatchObject([counts])
    place.store.objects.delete(`sealed/deks/${dek.record.dekId}.json`)
    expect((await place.prove({ kekId: kekId() })).deks).toHaveLength(2)
    expect((await place.prove({ kekId: 'another' })).deks).toEqual([])
  })

  it('takes a DEK under every version that wrapped it, whichever does now', async () => {
    const first = dek.record.kekVersion as string
    for (const kekVersion of ['50', '51']) {
      await place.mapping.noteWrap({ ...dek.record, kekVersion })
    }
    for (const kekVersion of [first, '50', '51']) {
      const proof = await place.prove({ kekId: kekId(), kekVersion })
      expect(proof.deks.map(({ dekId }) => dekId)).toContain(dek.record.dekId)
      expect(proof.isProven).toBe(true)
    }
  })

  it('keeps to one version, and counts an object in whose version is known nowhere', async () => {
    const version = dek.record.kekVersion as string
    expect((await place.prove({ kekId: kekId(), kekVersion: version })).deks).toHaveLength(2)
    expect((await place.prove({ kekId: kekId(), kekVersion: '99' })).deks).toEqual([])
    place.mapping.loseDek(dek.record.dekId)
    place.store.objects.delete(`sealed/deks/${dek.record.dekId}.json`)
    const proof = await place.prove({ kekId: kekId(), kekVersion: '99' })
    expect(proof.deks).toMatchObject([{ ...counts, isOnRecord: false }])
  })
})
