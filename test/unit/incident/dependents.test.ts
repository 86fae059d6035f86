import { beforeEach, describe, expect, it } from 'vitest'
import type { Dependent } from '../../../src/incident/dependent.ts'
import { walkDependents } from '../../../src/incident/dependents.ts'
import type { DekRecord } from '../../../src/keys/key-store.ts'
import type { LeftKek } from '../../../src/keys/left-kek.ts'
import { rewrapAll } from '../../../src/rewrap/job.ts'
import { dekObjectKey } from '../../../src/segment/object-key.ts'
import { MemoryObjectInventory } from '../../support/memory-object-inventory.ts'
import { NEW_KEK, RewrapPlace, silent } from '../../support/rewrap-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'

let place: RewrapPlace
let inventory: MemoryObjectInventory

beforeEach(() => {
  place = new RewrapPlace()
  inventory = new MemoryObjectInventory(place.store)
})

async function walk(kek: Partial<LeftKek> = {}) {
  const found: Dependent[] = []
  const { mapping, directory, store: objects } = place
  const totals = await walkDependents(
    { mapping, wraps: mapping, register: mapping, directory, store: { inventory, objects } },
    { kekId: KEK_ID, kekVersion: null, ...kek },
    { prefix: 'sealed', signal: new AbortController().signal, onScanned: () => {} },
    (one) => void found.push(one),
  )
  const deks = found.filter((one) => one.kind === 'dek')
  const objects_ = found.filter((one) => one.kind === 'object')
  return { totals, deks, objects: objects_ }
}

const rewrap = () =>
  rewrapAll(place.services(), place.scope(), {
    signal: new AbortController().signal,
    onRewrapped: () => {},
    observer: silent,
  })
const loseEntry = ({ dekId }: DekRecord) =>
  place.store.objects.delete(dekObjectKey({ prefix: 'sealed' }, dekId))
const objectOf = (index: number) => place.segments[index]?.objectKey as string

describe('what depends on a KEK', () => {
  it('is every DEK that it wraps, with each place, and every object under them', async () => {
    const dek = await place.seal()
    const { deks, objects, totals } = await walk()
    const where = ['key directory', 'register', 'object metadata']
    expect(deks).toMatchObject([{ dekId: dek.dekId, where, standing: 'live', keyDomain: 'orders' }])
    const object = { objectKey: objectOf(0), dekId: dek.dekId, why: 'current' }
    expect(objects).toMatchObject([{ ...object, retainedUntilMs: null }])
    expect(totals).toMatchObject({ versions: 1, directoryEntries: 1, deksOnRecord: 1, uploads: 0 })
    expect((await walk({ kekId: NEW_KEK })).deks).toEqual([])
  })

  it('is nothing once a rewrap has come to its end, which leaves copies that say the old KEK', async () => {
    await place.seal()
    await rewrap()
    expect(await walk()).toMatchObject({ deks: [], objects: [], totals: { rewrapped: 1 } })
    const { deks, objects } = await walk({ kekId: NEW_KEK })
    expect(deks).toMatchObject([{ where: ['key directory', 'register'], standing: 'live' }])
    expect(objects).toHaveLength(1)
  })

  it('is found in the bucket when the index knows nothing of it', async () => {
    const dek = await place.seal()
    place.mapping.loseDek(dek.dekId)
    place.mapping.unlisted.add(dek.dekId)
    place.mapping.lose(
      { dekId: dek.dekId, segmentId: place.segments[0]?.segmentId as string },
      'intent',
    )
    expect((await walk()).deks).toMatchObject([{ where: ['key directory', 'object metadata'] }])
    loseEntry(dek)
    const { deks, objects } = await walk()
    expect(deks).toMatchObject([{ where: ['object metadata'], standing: 'live' }])
    expect(objects).toMatchObject([{ why: 'unpublished', dekId: dek.dekId }])
  })

  it('is an object whose DEK the index alone says to be under another KEK', async () => {
    const dek = await place.seal()
    await rewrap()
    loseEntry(dek)
    expect((await walk()).objects).toMatchObject([{ why: 'current' }])
  })

  it('is a DEK of which a rewrap was cut off', async () => {
    const dek = await place.seal()
    await rewrap()
    const moved = (await place.mapping.find(dek.dekId)) as DekRecord
    await place.mapping.replaceWrap(dek, moved.wrapped)
    expect((await walk()).deks).toMatchObject([
      { where: ['register', 'object metadata'], standing: 'live' },
    ])
  })

  it('is told by the version where anything tells one, and counts where nothing does', async () => {
    const dek = await place.seal()
    const version = dek.kekVersion as string
    expect((await walk({ kekVersion: version })).objects).toHaveLength(1)
    expect(await walk({ kekVersion: `${version}0` })).toMatchObject({ deks: [], objects: [] })
    await place.forge({ ...dek, kekVersion: null })
    expect((await walk({ kekVersion: `${version}0` })).deks).toMatchObject([{ standing: 'live' }])
  })

  it('is a version that something covers, and until when the store keeps it', async () => {
    const dek = await place.seal()
    inventory.cover(objectOf(0))
    expect((await walk()).objects).toMatchObject([{ why: 'noncurrent', retainedUntilMs: null }])
    const missing = { why: 'missing', objectKey: objectOf(0) }
    const [version] = (await walk()).objects
    inventory.retained.set(version?.versionId ?? '', 5_000)
    const { objects } = await walk()
    expect(objects).toMatchObject([{ why: 'noncurrent', retainedUntilMs: 5_000 }, missing])
    const segment = { dekId: dek.dekId, segmentId: place.segments[0]?.segmentId as string }
    await place.mapping.recordReplaced(segment, {
      atMs: 1,
      byDekId: dek.dekId,
      retainedUntilMs: 5_000,
    })
    expect(await walk()).toMatchObject({
      deks: [{ standing: 'retained' }],
      objects: [{ why: 'noncurrent' }],
    })
  })

  it('is a DEK on record under which there is nothing, and what is on record and not there', async () => {
    await place.seal(false)
    const lost = await place.seal()
    place.store.objects.delete(objectOf(0))
    const { deks, objects } = await walk()
    expect(deks.map(({ standing }) => standing)).toEqual(['unused', 'live'])
    expect(objects).toMatchObject([{ why: 'missing', dekId: lost.dekId }])
  })

  it('is an upload whose intent names such a DEK, and one of no intent', async () => {
    const dek = await place.seal()
    const key = 'sealed/segments/orders/2026/01/02/03/'
    await place.store.createUpload(`${key}named.seal`, {})
    await place.store.createUpload(`${key}unnamed.seal`, {})
    const segmentId = '00000000-0000-4000-8000-000000000001'
    const intent = { dekId: dek.dekId, segmentId, objectKey: `${key}named.seal`, createdAtMs: 1 }
    await place.mapping.recordIntent(intent)
    const uploads = (await walk()).objects.filter(({ why }) => why === 'upload')
    expect(uploads.map(({ objectKey, dekId }) => [objectKey.slice(key.length), dekId])).toEqual([
      ['named.seal', dek.dekId],
      ['unnamed.seal', null],
    ])
    await rewrap()
    expect((await walk()).objects.map(({ dekId }) => dekId)).toEqual([null])
  })

  it('is a segment that was begun, until a sweep has settled that nothing comes of it', async () => {
    const { dekId } = await place.seal(false)
    const segmentId = '00000000-0000-4000-8000-000000000001'
    const objectKey = 'sealed/segments/orders/2026/01/02/03/begun.seal'
    await place.mapping.recordIntent({ dekId, segmentId, objectKey, createdAtMs: 1 })
    expect(await walk()).toMatchObject({
      deks: [{ standing: 'live' }],
      objects: [{ why: 'intended', objectKey, dekId }],
    })
    await place.mapping.markSwept({ dekId, segmentId }, 2)
    expect(await walk()).toMatchObject({ deks: [{ standing: 'unused' }], objects: [] })
  })

  it('may be an object that cannot be read', async () => {
    const dek = await place.seal()
    const metadata = { ...place.segments[0]?.metadata }
    inventory.replace(objectOf(0), Buffer.from('damaged'), metadata)
    inventory.replace('sealed/segments/orders/odd.seal', Buffer.from('no segment'))
    const unread = (await walk()).objects.filter(({ why }) => why === 'unread')
    expect(unread.map(({ dekId }) => dekId)).toEqual([dek.dekId, null])
    const damaged = (await walk({ kekId: NEW_KEK })).objects
    expect(damaged.map(({ dekId }) => dekId)).toEqual([null])
  })

  it('is not told of to the end when it is stopped', async () => {
    await place.seal()
    const stop = new AbortController()
    stop.abort()
    const { mapping, directory, store: objects } = place
    const sources = { mapping, wraps: mapping, register: mapping, directory }
    const scope = { prefix: 'sealed', signal: stop.signal, onScanned: () => {} }
    const kek = { kekId: KEK_ID, kekVersion: null }
    const walking = walkDependents(
      { ...sources, store: { inventory, objects } },
      kek,
      scope,
      () => {},
    )
    await expect(walking).rejects.toMatchObject({ code: 'SEAL_STOPPED' })
  })
})
