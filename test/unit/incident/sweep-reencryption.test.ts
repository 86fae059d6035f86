import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { encodeHeaderPrefix, joinHeader } from '../../../src/format/segment-header.ts'
import { encodeMetadata } from '../../../src/format/segment-metadata.ts'
import type { SegmentIntent } from '../../../src/mapping/mapping-store.ts'
import { SweepPlace } from '../../support/sweep-place.ts'

let place: SweepPlace
beforeEach(() => {
  place = new SweepPlace()
})

/** Metadata of a segment that is under this DEK. */
function metadataUnder(dekId: string, segmentId: string) {
  const fields = {
    ...{ segmentId, generation: 2, dekId, salt: new Uint8Array(32), createdAtMs: 0 },
    kmsContextHash: new Uint8Array(32),
  }
  const header = joinHeader(encodeHeaderPrefix(fields), new Uint8Array(32))
  const names = { kekId: 'kek', keyDomain: 'orders', clusterId: 'c', token: randomUUID() }
  return encodeMetadata({ header, wrapped: Buffer.from('wrapped'), ...names })
}

/** A segment that was published long ago, so that Kafka holds its references no longer. */
async function published(): Promise<SegmentIntent> {
  const intent = await place.leave({ object: false })
  const metadata = metadataUnder(intent.dekId, intent.segmentId)
  await place.store.put(intent.objectKey, Buffer.alloc(100), metadata)
  await place.mapping.recordPublished(intent, place.clock.nowMs())
  place.hours(100)
  return intent
}

/** What is left of a re-encryption whose process died: its intent, and perhaps an upload. */
async function attempt(intent: SegmentIntent, hasUpload = false): Promise<SegmentIntent> {
  const dekId = randomUUID()
  const replaces = { replacesDekId: intent.dekId, rowsDekId: intent.dekId }
  await place.mapping.recordReplacing({
    ...{ ...intent, dekId, ...replaces, beganAtMs: place.clock.nowMs() },
  })
  if (hasUpload) await place.store.createUpload(intent.objectKey, {})
  return { ...intent, dekId }
}

describe('a re-encryption that did not come to its end', () => {
  test('leaves the object alone when it never took place, and takes its upload away', async () => {
    const intent = await published()
    const begun = await attempt(intent, true)
    place.hours(24)
    const { plan, outcome } = await place.sweep()
    expect(plan.items).toMatchObject([{ verdict: 'given-up', segment: { dekId: begun.dekId } }])
    expect(outcome).toMatchObject({ segments: 1, objects: 0, uploads: 1 })
    expect(place.store.objects.has(intent.objectKey)).toBe(true)
    expect(place.store.uploads.size).toBe(0)
    expect(await place.entry(begun)).toMatchObject({ state: 'swept' })
    expect(await place.entry(intent)).toMatchObject({ state: 'published' })
    expect(await place.rows(intent)).toHaveLength(3)
    expect((await place.sweep()).plan.items).toEqual([])
  })

  test('keeps an object that it did replace, whatever the references say', async () => {
    const intent = await published()
    const begun = await attempt(intent)
    const metadata = metadataUnder(begun.dekId, intent.segmentId)
    const { etag } = await place.store.readEnd(intent.objectKey, 1)
    await place.store.put(intent.objectKey, Buffer.alloc(100), metadata, etag)
    place.hours(100)
    const { plan, outcome } = await place.sweep()
    expect(plan.items).toMatchObject([{ verdict: 'unknown', segment: { dekId: begun.dekId } }])
    expect(outcome).toMatchObject({ segments: 0, objects: 0 })
    expect(place.store.objects.has(intent.objectKey)).toBe(true)
  })

  test('is not judged while it is young, however old its segment is', async () => {
    const intent = await published()
    await attempt(intent, true)
    place.hours(23)
    expect(await place.plan()).toMatchObject({ items: [], young: 1 })
  })
})

test('a segment that was replaced is no business of a sweep', async () => {
  const intent = await published()
  const replaced = { atMs: place.clock.nowMs(), byDekId: randomUUID(), retainedUntilMs: null }
  await place.mapping.recordReplaced(intent, replaced)
  place.hours(24)
  expect((await place.plan()).items).toEqual([])
})
