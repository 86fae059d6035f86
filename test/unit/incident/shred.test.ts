import { beforeEach, describe, expect, it, test } from 'vitest'
import { shredMarksOf, writableShredMarksOf } from '../../../src/compose/shred-marks.ts'
import type { SealError } from '../../../src/errors.ts'
import { walkDependents } from '../../../src/incident/dependents.ts'
import { type ShredPorts, shredDeks } from '../../../src/incident/shred.ts'
import type { DekRecord } from '../../../src/keys/key-store.ts'
import type { DekEntry } from '../../../src/mapping/mapping-store.ts'
import { SealedReader } from '../../../src/reader/sealed-reader.ts'
import { rewrapAll } from '../../../src/rewrap/job.ts'
import { dekObjectKey } from '../../../src/segment/object-key.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { MemoryObjectInventory } from '../../support/memory-object-inventory.ts'
import { NEW_KEK, RewrapPlace, silent } from '../../support/rewrap-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'
import { type AtEffect, toldEffects } from '../../support/told-effects.ts'

const NAMES = { prefix: 'sealed' }

class Killed extends Error {}

/** DEKs and segments in all the places where a wrap can be, and what it takes to destroy them. */
class ShredPlace extends RewrapPlace {
  readonly inventory = new MemoryObjectInventory(this.store)
  readonly stop = new AbortController()

  ports(atEffect: AtEffect = () => {}): ShredPorts {
    const { mapping, store, events, inventory, clock } = this
    const told = <T extends object>(service: T, room: string): T =>
      toldEffects(service, room, atEffect)
    const { append } = told({ append: events.append.bind(events) }, 'events')
    const { put } = told(writableShredMarksOf(store, store, NAMES), 'marks')
    const { destroyWrap, markShredded } = told(
      {
        destroyWrap: (dekId: string) => mapping.destroyWrap(dekId),
        markShredded: mapping.markShredded.bind(mapping),
      },
      'shreds',
    )
    const { remove, abort } = told(
      { remove: inventory.remove.bind(inventory), abort: inventory.abort.bind(inventory) },
      'inventory',
    )
    return {
      ...{ mapping, objects: store, clock, shreds: { destroyWrap, markShredded } },
      events: { append, eventsOf: (dekId) => events.eventsOf(dekId) },
      marks: { ...shredMarksOf(store, NAMES), put },
      inventory: {
        ...{ remove, abort, retainedUntilMs: (one) => inventory.retainedUntilMs(one) },
        objects: (prefix) => inventory.objects(prefix),
        uploads: (prefix) => inventory.uploads(prefix),
      },
    }
  }

  shred(deks: readonly DekEntry[], ports = this.ports()) {
    const about = { prefix: 'sealed', actor: 'alice@ops-7', reason: 'GDPR 4711' }
    const { signal } = this.stop
    return shredDeks(ports, deks, { ...about, signal, onAdvanced: () => {} })
  }

  /** What became of each reference: the code of its failure, or `open`. */
  async opened(): Promise<string[]> {
    const { store: objects, kms, directory, clock } = this
    const options = { allowedKekIds: [KEK_ID, NEW_KEK], entriesMax: 10, ttlMs: 60_000 }
    const services = { objects, kms, directory, clock, shreds: shredMarksOf(objects, NAMES) }
    const reader = new SealedReader(services, options)
    const references = this.segments.flatMap((one) => one.references)
    const outcomes = await reader.tryReferences(references)
    return outcomes.map((one) => (one instanceof Error ? (one as SealError).code : 'open'))
  }

  /** Everything that holds a wrap of the DEK, or ciphertext under it. */
  async left({ dekId }: Pick<DekRecord, 'dekId'>): Promise<string[]> {
    const found: string[] = []
    const { mapping, directory, store: objects, inventory } = this
    await walkDependents(
      { mapping, wraps: mapping, register: mapping, directory, store: { inventory, objects } },
      { kekId: KEK_ID, kekVersion: null },
      { prefix: 'sealed', signal: this.stop.signal, onScanned: () => {} },
      (one) => {
        if (one.dekId === dekId) found.push(one.kind === 'dek' ? one.where.join() : one.why)
      },
    )
    for await (const { key } of inventory.objects(dekObjectKey(NAMES, dekId))) found.push(key)
    if (((await mapping.find(dekId))?.wrapped.length ?? 0) > 0) found.push('register')
    return found
  }
}

let place: ShredPlace
let dek: DekRecord
let other: DekRecord

beforeEach(async () => {
  place = new ShredPlace()
  dek = await place.seal()
  other = await place.seal()
})

const objectOf = (index: number) => place.segments[index]?.objectKey as string
const segmentOf = (index: number) => place.segments[index]?.segmentId as string
const stateOf = async ({ dekId }: DekRecord) =>
  (await all(place.mapping.segmentsOfDek(dekId))).map(({ state }) => state)

describe('a shredded DEK', () => {
  it('is nowhere, with everything that was under it, and nothing else is touched', async () => {
    place.inventory.replace(objectOf(0), ...contentOf(0))
    const outcome = await place.shred([dek])
    expect(outcome).toMatchObject({ versions: 3, uploads: 0, remaining: [] })
    expect(await place.left(dek)).toEqual([])
    expect(await place.opened()).toEqual(['SEAL_SHREDDED', 'SEAL_SHREDDED', 'open', 'open'])
    expect([await stateOf(dek), await stateOf(other)]).toEqual([['shredded'], ['published']])
    const events = await all(place.events.eventsOf(dek.dekId))
    expect(events.map(({ kind, actor, reason }) => [kind, actor, reason])).toEqual([
      ['shredded', 'alice@ops-7', 'shred: GDPR 4711'],
    ])
    // That it was there, and under which KEK, is known as before.
    expect((await all(place.mapping.deksOfKek(KEK_ID))).map(({ dekId }) => dekId)).toContain(
      dek.dekId,
    )
  })

  it('takes along versions that something covers, uploads, and objects that no record names', async () => {
    place.inventory.cover(objectOf(0))
    await place.store.createUpload(objectOf(0), {})
    const stray = objectOf(0).replace(segmentOf(0), '5ea15eed-0000-4000-8000-0000000000ff')
    place.inventory.replace(stray, ...contentOf(0))
    const outcome = await place.shred([dek])
    expect(outcome).toMatchObject({ uploads: 1, remaining: [] })
    expect(await place.left(dek)).toEqual([])
    const isLeft = (key: string) => all(place.inventory.objects(key))
    expect([await isLeft(stray), await isLeft(objectOf(0))]).toMatchObject([
      [],
      [{ isDeleteMarker: true }],
    ])
  })

  it('stays so: no rewrap brings it back', async () => {
    await place.shred([dek])
    const control = { signal: place.stop.signal, onRewrapped: () => {}, observer: silent }
    const report = await rewrapAll(place.services(), place.scope(), control)
    expect(report).toMatchObject({ rewrapped: 1, failures: [] })
    expect(await place.left(dek)).toEqual([])
  })

  it('is destroyed again without effect', async () => {
    await place.shred([dek])
    const again = await place.shred([dek])
    expect(again).toEqual({ versions: 0, bytes: 0, uploads: 0, remaining: [] })
    expect(await all(place.events.eventsOf(dek.dekId))).toHaveLength(1)
  })

  it('leaves what was re-encrypted to its new DEK, but for the versions under itself', async () => {
    const segment = { dekId: dek.dekId, segmentId: segmentOf(0) }
    const [bytes, metadata] = contentOf(1)
    // Another segment in its place stands for the one under the new DEK.
    place.inventory.replace(objectOf(0), bytes, metadata)
    await place.mapping.recordReplaced(segment, {
      atMs: 1,
      byDekId: other.dekId,
      retainedUntilMs: 9,
    })
    await place.store.createUpload(objectOf(0), {})
    await place.shred([dek])
    expect(await place.left(dek)).toEqual([])
    expect(place.store.objects.get(objectOf(0))?.metadata).toEqual(metadata)
    expect(place.store.uploads.size).toBe(1)
    expect(await stateOf(dek)).toEqual(['replaced'])
    expect(await shredMarksOf(place.store, NAMES).find(segmentOf(0))).toBeNull()
  })

  it('names what the store keeps, which no reader gets any more, and takes it when its time is over', async () => {
    const [version] = (await all(place.inventory.objects(objectOf(0)))) as unknown as [
      { versionId: string },
    ]
    const untilMs = place.clock.nowMs() + 60_000
    place.inventory.retained.set(version.versionId, untilMs)
    const { versionId } = version
    const kept = { object: objectOf(0), versionId, dekId: dek.dekId, untilMs }
    expect((await place.shred([dek])).remaining).toEqual([kept])
    expect((await place.opened()).slice(0, 2)).toEqual(['SEAL_SHREDDED', 'SEAL_SHREDDED'])
    expect((await place.shred([dek])).remaining).toEqual([kept])
    place.clock.advance(120_000)
    place.inventory.retained.clear()
    expect(await place.shred([dek])).toMatchObject({ versions: 1, remaining: [] })
    expect(await place.left(dek)).toEqual([])
  })

  it('is not destroyed without rights, which is no retention', async () => {
    const [version] = (await all(place.inventory.objects(objectOf(0)))) as unknown as [
      { versionId: string },
    ]
    place.inventory.retained.set(version.versionId, Number.POSITIVE_INFINITY)
    const ports = place.ports()
    const inventory = { ...ports.inventory, retainedUntilMs: async () => null }
    await expect(place.shred([dek], { ...ports, inventory })).rejects.toMatchObject({
      code: 'SEAL_STORE_REFUSED',
    })
  })
})

test('a shredding that is killed anywhere is taken up and comes to the same end', async () => {
  const names: string[] = []
  await place.store.createUpload(objectOf(0), {})
  await place.shred(
    [dek],
    place.ports((name) => void names.push(name)),
  )
  expect(new Set(names.map((name) => name.split('.')[1]))).toEqual(
    new Set(['destroyWrap', 'remove', 'put', 'abort', 'markShredded', 'append']),
  )
  for (const [at, name] of names.entries()) {
    place = new ShredPlace()
    dek = await place.seal()
    other = await place.seal()
    await place.store.createUpload(objectOf(0), {})
    let left = at
    const dying = place.ports(() => {
      if (left-- <= 0) throw new Killed(name)
    })
    await expect(place.shred([dek], dying)).rejects.toBeInstanceOf(Killed)
    // Readers are told nothing else than that it is there, or that it was destroyed on purpose.
    const codes = new Set((await place.opened()).slice(0, 2))
    expect([['open'], ['SEAL_SHREDDED']], name).toContainEqual([...codes])
    await place.shred([dek])
    expect([await place.left(dek), await stateOf(dek)], name).toEqual([[], ['shredded']])
    expect(await place.opened()).toEqual(['SEAL_SHREDDED', 'SEAL_SHREDDED', 'open', 'open'])
    expect(await all(place.events.eventsOf(dek.dekId))).toHaveLength(1)
  }
})

/** Bytes and metadata of a sealed segment. */
function contentOf(index: number): [Buffer, Record<string, string>] {
  const segment = place.segments[index % 2] as (typeof place.segments)[number]
  return [segment.bytes, segment.metadata]
}
