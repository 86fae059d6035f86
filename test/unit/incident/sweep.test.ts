import { beforeEach, describe, expect, test } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { carryOut, type SweepPorts } from '../../../src/incident/sweep.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { SweepPlace } from '../../support/sweep-place.ts'

let place: SweepPlace
beforeEach(() => {
  place = new SweepPlace()
})

const verdicts = async (...args: Parameters<SweepPlace['plan']>) =>
  (await place.plan(...args)).items.map(({ verdict }) => verdict)

describe('an orphan', () => {
  test('loses its object, its uploads and its rows, and keeps its intent', async () => {
    const orphan = await place.leave({ upload: true })
    place.hours(24)
    const { plan, outcome } = await place.sweep()
    expect(plan).toMatchObject({ items: [{ verdict: 'orphan' }], seen: 1, young: 0 })
    expect(outcome).toEqual({
      ...{ segments: 1, objects: 1, bytes: 100, uploads: 1, marked: 0, grown: 0 },
      ...{ refused: [], isStopped: false },
    })
    expect([place.store.objects.size, place.store.uploads.size]).toEqual([0, 0])
    expect(await place.rows(orphan)).toEqual([])
    expect(await place.entry(orphan)).toMatchObject({ ...orphan, state: 'swept' })
    expect((await place.sweep()).plan.items).toEqual([])
  })

  test('of which nothing is there but the intent is marked alone', async () => {
    const orphan = await place.leave({ object: false, rows: 0 })
    place.hours(24)
    expect((await place.sweep()).outcome).toMatchObject({ segments: 1, objects: 0, uploads: 0 })
    expect(await place.entry(orphan)).toMatchObject({ state: 'swept' })
  })

  test('loses every version of its object and every mark of deletion', async () => {
    const orphan = await place.leave()
    place.inventory.cover(orphan.objectKey)
    place.inventory.replace(orphan.objectKey, Buffer.alloc(7))
    place.hours(24)
    expect((await place.sweep()).outcome).toMatchObject({ objects: 3, bytes: 107 })
    expect(await all(place.inventory.objects(''))).toEqual([])
  })

  test('stays as it is as long as nobody carries the plan out', async () => {
    const orphan = await place.leave({ upload: true })
    place.hours(24)
    expect(await verdicts()).toEqual(['orphan'])
    expect([place.store.objects.size, place.store.uploads.size]).toEqual([1, 1])
    expect(await place.rows(orphan)).toHaveLength(3)
    expect(await place.entry(orphan)).toMatchObject({ state: 'intended', sweptAtMs: null })
  })
})

describe('what is young is not touched', () => {
  test('by its intent', async () => {
    await place.leave()
    place.hours(23)
    expect(await place.plan()).toMatchObject({ items: [], seen: 1, young: 1 })
    await place.sweep()
    expect(place.inventory.taken).toEqual([])
    place.hours(1)
    expect(await verdicts()).toEqual(['orphan'])
  })

  test.each(['object', 'upload'] as const)('by its %s, however old its intent is', async (what) => {
    const orphan = await place.leave({ object: false })
    place.hours(24)
    if (what === 'upload') await place.store.createUpload(orphan.objectKey, {})
    else await place.store.put(orphan.objectKey, Buffer.alloc(5), {})
    expect(await verdicts()).toEqual(['young'])
    await place.sweep()
    expect(place.inventory.taken).toEqual([])
    expect(await place.entry(orphan)).toMatchObject({ state: 'intended' })
    place.hours(24)
    expect(await verdicts()).toEqual(['orphan'])
  })

  test('by an older version of its object alone', async () => {
    const orphan = await place.leave()
    place.hours(24)
    place.inventory.replace(orphan.objectKey, Buffer.alloc(7))
    expect(await verdicts()).toEqual(['young'])
  })

  test('nor is an object whose age the store does not tell', async () => {
    const orphan = await place.leave({ object: false })
    place.store.objects.set(orphan.objectKey, { bytes: Buffer.alloc(5), metadata: {} })
    place.hours(1000)
    expect(await verdicts()).toEqual(['young'])
  })

  test('nor what has come in since the plan was made', async () => {
    const orphan = await place.leave({ object: false })
    place.hours(24)
    const plan = await place.plan()
    await place.store.put(orphan.objectKey, Buffer.alloc(5), {})
    const outcome = await carryOut(place.ports, place.scope, plan)
    expect(outcome).toMatchObject({ segments: 0, objects: 0, grown: 1 })
    expect(place.store.objects.size).toBe(1)
    expect(await place.entry(orphan)).toMatchObject({ state: 'intended' })
  })
})

describe('a segment that a committed reference names', () => {
  test('is kept, and gets the mark that was lost', async () => {
    const segment = await place.leave()
    place.refer(segment)
    place.hours(24)
    const { plan, outcome } = await place.sweep()
    expect(plan.items).toMatchObject([{ verdict: 'published' }])
    expect(outcome).toMatchObject({ segments: 0, objects: 0, marked: 1 })
    expect(place.store.objects.size).toBe(1)
    expect(await place.rows(segment)).toHaveLength(3)
    expect(await place.entry(segment)).toMatchObject({ state: 'published', sweptAtMs: null })
    expect((await place.sweep()).plan.items).toEqual([])
  })

  test('is kept beside orphans, be it by one reference alone', async () => {
    const segments = await Promise.all([0, 1, 2].map((i) => place.leave({ base: i * 10 })))
    const named = segments[1]
    if (named === undefined) throw new Error('none')
    place.refer(named, 12, 1)
    place.hours(24)
    await place.sweep()
    expect([...place.store.objects.keys()]).toEqual([named.objectKey])
  })

  test('is kept when its reference was committed long after its intent', async () => {
    const segment = await place.leave()
    place.hours(23)
    place.refer(segment)
    place.hours(23)
    expect(await verdicts()).toEqual(['published'])
  })

  test('is read for from before its intent, by the skew of clocks', async () => {
    place.hours(5)
    const segment = await place.leave()
    place.hours(24)
    await place.plan()
    expect(place.references.reads).toEqual([segment.createdAtMs - 3_600_000])
  })
})

describe('what is unknown is kept', () => {
  const keeps = async () => {
    const { plan, outcome } = await place.sweep()
    expect(plan.items.map(({ verdict }) => verdict)).toEqual(['unknown'])
    expect(outcome).toMatchObject({ segments: 0, objects: 0, uploads: 0, marked: 0 })
    expect(place.inventory.taken).toEqual([])
  }

  test('when an open transaction hides the end of the references', async () => {
    await place.leave()
    place.hours(24)
    place.references.isHidden = true
    await keeps()
  })

  test('when Kafka no longer holds the references of its time', async () => {
    await place.leave()
    place.hours(24)
    place.references.dropBefore(place.clock.nowMs())
    await keeps()
  })

  test('when a reference cannot be read', async () => {
    await place.leave()
    place.references.append([Buffer.from('{"v":2}')], place.clock.nowMs())
    place.hours(24)
    await keeps()
  })

  test('when its messages, or its key domain, are of a topic that is not sealed here', async () => {
    await place.leave({ topic: 'payments', rows: 0 })
    place.hours(24)
    await keeps()
    const domains = null
    expect(await verdicts({ domains })).toEqual(['orphan'])
    await place.leave({ topic: 'payments' })
    place.hours(24)
    expect(await verdicts({ domains })).toEqual(['unknown', 'orphan'])
  })

  test('unless every message of it has a reference to another object', async () => {
    const orphan = await place.leave()
    const bare = await place.leave({ rows: 0 })
    place.hours(48)
    place.references.dropBefore(place.clock.nowMs())
    const again = await place.leave()
    place.refer(again, 0, 2)
    expect(await verdicts()).toEqual(['unknown', 'unknown'])
    place.refer(again, 2, 1)
    const { plan } = await place.sweep()
    expect(plan.items.map(({ segment, verdict }) => [segment.segmentId, verdict])).toEqual([
      [orphan.segmentId, 'orphan'],
      [bare.segmentId, 'unknown'],
    ])
    expect([...place.store.objects.keys()].toSorted()).toEqual(
      [bare.objectKey, again.objectKey].toSorted(),
    )
  })

  test('and a reference to itself proves nothing against it', async () => {
    const segment = await place.leave()
    place.hours(48)
    place.references.dropBefore(place.clock.nowMs())
    place.refer(segment)
    expect(await verdicts()).toEqual(['published'])
  })
})

test('segments under another prefix are passed over', async () => {
  await place.leave({ prefix: 'sealed-too' })
  await place.leave({ prefix: 'other' })
  place.hours(24)
  const { plan } = await place.sweep()
  expect(plan).toMatchObject({ items: [], seen: 2, young: 0 })
  expect(place.store.objects.size).toBe(2)
})

test('an upload that no intent names is told, and not touched', async () => {
  const known = await place.leave({ upload: true, object: false })
  await place.store.createUpload('sealed/segments/orders/stray.seal', {})
  await place.store.createUpload('elsewhere/segments/orders/stray.seal', {})
  place.hours(24)
  const { plan } = await place.sweep()
  expect(plan.unnamedUploads.map(({ key }) => key)).toEqual(['sealed/segments/orders/stray.seal'])
  expect([...place.store.uploads.values()].map(({ key }) => key)).toEqual([
    'sealed/segments/orders/stray.seal',
    'elsewhere/segments/orders/stray.seal',
  ])
  expect(await place.entry(known)).toMatchObject({ state: 'swept' })
})

describe('a writer that slept through a sweep', () => {
  test('brings an object that the next sweep takes again, when it is old', async () => {
    const orphan = await place.leave({ object: false })
    place.hours(24)
    await place.sweep()
    await place.store.put(orphan.objectKey, Buffer.alloc(5), {})
    expect(await verdicts()).toEqual(['young'])
    place.hours(24)
    expect((await place.sweep()).outcome).toMatchObject({ segments: 1, objects: 1 })
    expect(place.store.objects.size).toBe(0)
  })

  test('is an alarm when it has published it: by its mark, or by a reference', async () => {
    const [marked, named] = [await place.leave(), await place.leave()]
    place.hours(24)
    await place.sweep()
    await place.mapping.recordPublished(marked, place.clock.nowMs())
    place.hours(1)
    place.refer(named)
    const { plan, outcome } = await place.sweep()
    expect(plan.items.map(({ segment, verdict }) => [segment.segmentId, verdict])).toEqual([
      [marked.segmentId, 'alarm'],
      [named.segmentId, 'alarm'],
    ])
    expect(outcome).toMatchObject({ segments: 0, objects: 0, marked: 1 })
    // From now on the register itself tells it.
    expect(await place.entry(named)).toMatchObject({
      state: 'published',
      sweptAtMs: expect.any(Number),
    })
  })

  test('is an alarm too when it has left an object beside the reference', async () => {
    const segment = await place.leave({ object: false })
    place.hours(24)
    await place.sweep()
    await place.store.put(segment.objectKey, Buffer.alloc(5), {})
    place.refer(segment)
    place.hours(24)
    expect((await place.sweep()).plan.items).toMatchObject([{ verdict: 'alarm' }])
    expect(place.store.objects.size).toBe(1)
  })
})

/** The bucket, but for what a test makes of it. */
function inventoryWith(changes: Partial<SweepPorts['inventory']>): SweepPorts['inventory'] {
  return {
    objects: (prefix) => place.inventory.objects(prefix),
    uploads: (prefix) => place.inventory.uploads(prefix),
    remove: (object) => place.inventory.remove(object),
    abort: (upload) => place.inventory.abort(upload),
    ...changes,
  }
}

describe('a sweep that does not come to its end', () => {
  test('is stopped between two segments, and the next one goes on', async () => {
    for (let i = 0; i < 3; i++) await place.leave({ base: i * 10 })
    place.hours(24)
    const plan = await place.plan()
    const onProgress = () => place.stop.abort()
    const outcome = await carryOut(place.ports, { ...place.scope, onProgress }, plan)
    expect(outcome).toMatchObject({ segments: 1, isStopped: true })
    expect(place.store.objects.size).toBe(2)
    await expect(place.plan()).rejects.toMatchObject({ code: 'SEAL_STOPPED' })
    const { signal } = new AbortController()
    expect((await place.sweep({ signal })).outcome).toMatchObject({ segments: 2, isStopped: false })
    expect(place.store.objects.size).toBe(0)
  })

  test('finds a segment again that it had begun with', async () => {
    const orphan = await place.leave({ upload: true })
    place.hours(24)
    const crash = new Error('crash')
    const inventory = inventoryWith({ abort: () => Promise.reject(crash) })
    const sweeping = carryOut({ ...place.ports, inventory }, place.scope, await place.plan())
    await expect(sweeping).rejects.toBe(crash)
    // Rows and mark come last: they lead to what is left.
    expect(place.store.objects.size).toBe(0)
    expect(await place.rows(orphan)).toHaveLength(3)
    expect(await place.entry(orphan)).toMatchObject({ state: 'intended' })
    expect((await place.sweep()).outcome).toMatchObject({ segments: 1, objects: 0, uploads: 1 })
  })

  test('notes what the store refuses, keeps its mark off, and does the others', async () => {
    const [locked, free] = [await place.leave(), await place.leave({ base: 10 })]
    place.hours(24)
    const inventory = inventoryWith({
      async remove(object) {
        if (object.key === locked.objectKey) throw new SealError('SEAL_STORE_REFUSED', 'is locked')
        await place.inventory.remove(object)
      },
    })
    const outcome = await carryOut({ ...place.ports, inventory }, place.scope, await place.plan())
    const refused = [{ objectKey: locked.objectKey, reason: 'is locked' }]
    expect(outcome).toMatchObject({ segments: 1, refused })
    expect(await place.entry(locked)).toMatchObject({ state: 'intended' })
    expect(await place.entry(free)).toMatchObject({ state: 'swept' })
  })
})
