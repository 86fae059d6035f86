import { beforeEach, describe, expect, test } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { decodeMetadata } from '../../../src/format/segment-metadata.ts'
import { messagesOf } from '../../../src/mapping/mapped-messages.ts'
import type { SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { leftKekOf } from '../../../src/reencryption/plan.ts'
import { reencryptSegment } from '../../../src/reencryption/segment-reencryption.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { messages } from '../../support/messages.ts'
import { NEW_KEK_ID, ReencryptionPlace } from '../../support/reencryption-place.ts'

let place: ReencryptionPlace
beforeEach(() => {
  place = new ReencryptionPlace()
})

const metadataOf = ({ objectKey }: { objectKey: string }) =>
  decodeMetadata(place.store.objects.get(objectKey)?.metadata ?? {})

describe('a segment that is re-encrypted', () => {
  test('is under a new DEK and KEK, one generation on, and every reference opens as before', async () => {
    const item = await place.seal(messages(30))
    const before = metadataOf(item)
    const outcome = await reencryptSegment(place.services(), item)
    expect(outcome).toEqual({
      ...{ kind: 'moved', messages: 30, bytes: item.bytes, retainedUntilMs: null },
    })
    const after = metadataOf(item)
    expect(after.header).toMatchObject({
      ...{ segmentId: item.segmentId, generation: 2, createdAtMs: before.header.createdAtMs },
    })
    expect(after.header.dekId).not.toBe(item.dekId)
    expect(after.kekId).toContain(NEW_KEK_ID)
    expect(Buffer.compare(after.header.salt, before.header.salt)).not.toBe(0)
    expect(await place.wrong()).toEqual([])
  })

  test('has nothing of the old ciphertext left, in no version', async () => {
    const item = await place.seal(messages(10))
    const [segment] = place.segments
    const frames = segment?.references.map(({ position, length }) =>
      segment.bytes.subarray(position + 20, position + length),
    )
    await reencryptSegment(place.services(), item)
    expect(await all(place.inventory.objects(''))).toMatchObject([{ isCurrent: true }])
    const bytes = place.store.objects.get(item.objectKey)?.bytes as Buffer
    expect(bytes.length).toBe(segment?.bytes.length)
    for (const frame of frames ?? []) expect(bytes.includes(frame)).toBe(false)
  })

  test('is on record under the new DEK with the rows of before, and as replaced under the old one', async () => {
    const item = await place.seal(messages(10))
    const rows = await all(messagesOf(place.mapping, item))
    await reencryptSegment(place.services(), item)
    const { dekId } = metadataOf(item).header
    const [now] = await place.entries(dekId)
    expect(now).toMatchObject({ state: 'published', messageCount: 10, bytes: item.bytes })
    expect(await all(messagesOf(place.mapping, now as SegmentEntry))).toEqual(rows)
    const [old] = await place.entries(item.dekId)
    expect(old).toMatchObject({
      ...{ state: 'replaced', messageCount: 10 },
      replaced: { byDekId: dekId, retainedUntilMs: null },
    })
    expect(await all(messagesOf(place.mapping, old as SegmentEntry))).toEqual(rows)
  })

  test('may be re-encrypted again, and again, by the same process, always under another DEK', async () => {
    let item = await place.seal(messages(10))
    const services = place.services()
    const deks = new Set([item.dekId])
    for (const generation of [2, 3, 4]) {
      await reencryptSegment(services, item)
      const { header } = metadataOf(item)
      expect(header.generation).toBe(generation)
      deks.add(header.dekId)
      expect(deks.size).toBe(generation)
      item = (await place.entries(header.dekId))[0] as SegmentEntry
    }
    expect(await place.wrong()).toEqual([])
  })

  test('of several parts is cut at frames, none below the least size of a part but the last', async () => {
    const value = Buffer.alloc(1_500_000, 7)
    const item = await place.seal(messages(12, { value }))
    await reencryptSegment(place.services(undefined, { partBytes: 5 * 1024 * 1024 }), item)
    const lengths = place.tasks.map(({ length }) => length)
    expect(lengths.length).toBe(3)
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(5 * 1024 * 1024)
    expect(lengths.reduce((sum, length) => sum + length)).toBe(item.bytes)
    expect(place.store.uploads.size).toBe(0)
    expect(await place.wrong()).toEqual([])
  })

  test('shares the new DEK with others of its domain, up to what a window holds', async () => {
    const items = [await place.seal(messages(600)), await place.seal(messages(300))]
    items.push(await place.seal(messages(200)))
    const services = place.services()
    for (const item of items) await reencryptSegment(services, item)
    const deks = items.map((item) => metadataOf(item).header.dekId)
    expect(deks[1]).toBe(deks[0])
    expect(deks[2]).not.toBe(deks[0])
  })
})

describe('what cannot be re-encrypted stays as it is', () => {
  const untouched = async (item: SegmentEntry, code: string) => {
    const before = Buffer.from(place.store.objects.get(item.objectKey)?.bytes as Buffer)
    const failing = reencryptSegment(place.services(), item)
    await expect(failing).rejects.toMatchObject({ code })
    const after = place.store.objects.get(item.objectKey)?.bytes as Buffer
    expect(after.equals(before)).toBe(true)
    expect(await place.entries(item.dekId)).toMatchObject([{ state: 'published' }])
  }

  test('with a damaged frame', async () => {
    const item = await place.seal(messages(10))
    const object = place.store.objects.get(item.objectKey)
    const { position = 0 } = place.segments[0]?.references[4] ?? {}
    object?.bytes.writeUInt8(object.bytes.readUInt8(position + 25) ^ 1, position + 25)
    await untouched(item, 'SEAL_OPEN_FAILED')
    expect(place.store.uploads.size).toBe(0)
  })

  test('with a footer that somebody wrote anew', async () => {
    const item = await place.seal(messages(10))
    const other = await place.seal(messages(10))
    const [bytes, theirs] = [item, other].map(
      ({ objectKey }) => place.store.objects.get(objectKey)?.bytes as Buffer,
    ) as [Buffer, Buffer]
    const footerAt = bytes.length - bytes.readUInt32BE(bytes.length - 16)
    theirs.copy(bytes, footerAt, footerAt)
    await untouched(item, 'SEAL_OPEN_FAILED')
  })

  test('under a KEK that is switched off', async () => {
    const item = await place.seal(messages(10))
    place.kms.disable(metadataOf(item).kekId)
    await untouched(item, 'SEAL_KEK_DISABLED')
  })

  test('when new DEKs would be wrapped under the KEK that is to be left', async () => {
    const item = await place.seal(messages(10))
    const leaving = leftKekOf({ kekId: NEW_KEK_ID })
    const failing = reencryptSegment(place.services(undefined, { leaving }), item)
    await expect(failing).rejects.toMatchObject({ code: 'SEAL_KEK_FORBIDDEN' })
    expect(await place.entries(item.dekId)).toMatchObject([{ state: 'published' }])
    expect(metadataOf(item).header.generation).toBe(1)
  })

  test('that is gone, and says so', async () => {
    const item = await place.seal(messages(10))
    place.store.objects.delete(item.objectKey)
    expect(await reencryptSegment(place.services(), item)).toMatchObject({ kind: 'gone' })
  })
})

describe('a version that the store keeps', () => {
  test('is told until when, and removed by a later run when that is over', async () => {
    const item = await place.seal(messages(10))
    const [version] = await all(place.inventory.objects(''))
    const untilMs = place.clock.nowMs() + 10_000
    place.inventory.retained.set(version?.versionId as string, untilMs)
    const outcome = await reencryptSegment(place.services(), item)
    expect(outcome).toMatchObject({ kind: 'moved', retainedUntilMs: untilMs })
    expect(await place.entries(item.dekId)).toMatchObject([
      { state: 'replaced', replaced: { retainedUntilMs: untilMs } },
    ])
    place.clock.advance(10_001)
    const later = await reencryptSegment(place.services(), item)
    expect(later).toMatchObject({ kind: 'finished', retainedUntilMs: null })
    expect(await all(place.inventory.objects(''))).toHaveLength(1)
    expect(await place.entries(item.dekId)).toMatchObject([
      { state: 'replaced', replaced: { retainedUntilMs: null } },
    ])
  })

  test('is no reason to call a segment replaced, when only the rights are missing', async () => {
    const item = await place.seal(messages(10))
    const refused = new SealError('SEAL_STORE_REFUSED', 'grant s3:DeleteObjectVersion')
    const { inventory } = place.services()
    const remove = () => Promise.reject(refused)
    const services = place.services(undefined, { inventory: { ...inventory, remove } })
    await expect(reencryptSegment(services, item)).rejects.toBe(refused)
    expect(await place.entries(item.dekId)).toMatchObject([{ state: 'published' }])
    expect(await reencryptSegment(place.services(), item)).toMatchObject({ kind: 'finished' })
  })
})

describe('two processes that re-encrypt one segment', () => {
  test('move it once: the one that comes late gives up, and protects nothing on record', async () => {
    const item = await place.seal(messages(10))
    let isMoved = false
    // The other process comes in between the look and the write of the first.
    const services = place.services(async (name) => {
      if (name !== 'before store.put' || isMoved) return
      isMoved = true
      await reencryptSegment(place.services(), item)
    })
    expect(await reencryptSegment(services, item)).toMatchObject({ kind: 'finished' })
    expect(metadataOf(item).header.generation).toBe(2)
    expect(await place.wrong()).toEqual([])
    const entries = await all(place.mapping.segments())
    expect(entries.map(({ state }) => state).sort()).toEqual(['published', 'replaced', 'swept'])
  })
})
