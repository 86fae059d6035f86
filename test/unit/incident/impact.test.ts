import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { impactOf, impactPages } from '../../../src/incident/impact.ts'
import type { ImpactScope } from '../../../src/incident/impact-scope.ts'
import { messagesIn } from '../../../src/mapping/mapped-messages.ts'
import { lookUpsContract } from '../../contracts/look-ups.contract.ts'
import {
  all,
  columnsOf,
  dekRecord,
  mappingStoreContract,
  messagesFrom,
} from '../../contracts/mapping-store.contract.ts'
import { segmentRegisterContract } from '../../contracts/segment-register.contract.ts'
import { segmentReplacementsContract } from '../../contracts/segment-replacements.contract.ts'
import { shredRegisterContract } from '../../contracts/shred-register.contract.ts'
import { wrapRegisterContract } from '../../contracts/wrap-register.contract.ts'
import { MemoryMappingStore } from '../../support/memory-mapping-store.ts'

describe('the mapping store in memory', () => {
  const store = new MemoryMappingStore()
  const parts = { writer: store, reader: store, keys: store, register: store, replacements: store }
  mappingStoreContract(() => parts)
  lookUpsContract(() => parts)
  segmentRegisterContract(() => parts)
  segmentReplacementsContract(() => parts)
  wrapRegisterContract(() => parts)
  shredRegisterContract(() => ({ ...parts, shreds: store }))
})

/** Every message in scope, with what its page says. */
async function messagesInScope(scope: ImpactScope) {
  const pages = await all(impactPages(store, scope))
  return pages.flatMap(({ dek, segment, frames }) =>
    [...messagesIn(frames)].map((message) => ({ ...message, dek, segment })),
  )
}

let store: MemoryMappingStore
beforeEach(() => {
  store = new MemoryMappingStore()
})

const NOW_MS = Date.UTC(2026, 0, 1)

async function segmentOf(dekId: string, object: string, base: number, count: number) {
  const segment = { dekId, segmentId: randomUUID() }
  await store.recordIntent({ ...segment, objectKey: object, createdAtMs: NOW_MS })
  await store.writeRows(segment, object, columnsOf(messagesFrom(base, count)))
  return segment
}

/** One DEK with a published segment of 3 messages, a sealed one of 2 and an intended one of 4. */
async function threeSegments(dekId: string) {
  const first = await segmentOf(dekId, 'a.seal', 0, 3)
  await store.recordSealed({ ...first, messageCount: 3, bytes: 1000, sealedAtMs: NOW_MS })
  await store.recordPublished(first, NOW_MS)
  const second = await segmentOf(dekId, 'b.seal', 3, 2)
  await store.recordSealed({ ...second, messageCount: 2, bytes: 800, sealedAtMs: NOW_MS })
  await segmentOf(dekId, 'c.seal', 5, 4)
}

const THREE_SEGMENTS = {
  deks: 1,
  segments: { intended: 1, sealed: 1, published: 1, swept: 0, replaced: 0, shredded: 0 },
  objects: 2,
  messages: 9,
  bytes: 2200,
  isComplete: true,
}

describe('impact of a DEK', () => {
  test('counts segments by state, and counts the rows of one that was not seen to end', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    await threeSegments(dek.dekId)
    expect(await impactOf(store, { dekId: dek.dekId })).toEqual(THREE_SEGMENTS)
  })

  test('names swept segments, but counts nothing of them that is not there', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    await threeSegments(dek.dekId)
    const swept = await segmentOf(dek.dekId, 'd.seal', 9, 50)
    await store.recordSealed({ ...swept, messageCount: 50, bytes: 5000, sealedAtMs: NOW_MS })
    await store.markSwept(swept, NOW_MS)
    const segments = { ...THREE_SEGMENTS.segments, swept: 1 }
    expect(await impactOf(store, { dekId: dek.dekId })).toEqual({ ...THREE_SEGMENTS, segments })
    // A writer that slept through the sweep: its rows name messages that a key did protect.
    await store.writeRows(swept, 'd.seal', columnsOf(messagesFrom(9, 2)))
    expect(await impactOf(store, { dekId: dek.dekId })).toMatchObject({ messages: 11, objects: 2 })
    expect(await messagesInScope({ dekId: dek.dekId })).toHaveLength(11)
  })

  test('takes an id as it was pasted', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    expect(await impactOf(store, { dekId: ` ${dek.dekId.toUpperCase()}\n` })).toMatchObject({
      deks: 1,
    })
  })

  test('is nothing for a DEK that sealed nothing, and an error for an unknown one', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    const nothing = { intended: 0, sealed: 0, published: 0, swept: 0, replaced: 0, shredded: 0 }
    const empty = {
      ...{ deks: 1, segments: nothing, objects: 0, messages: 0, bytes: 0 },
      isComplete: true,
    }
    expect(await impactOf(store, { dekId: dek.dekId })).toEqual(empty)
    const unknown = randomUUID()
    await expect(impactOf(store, { dekId: unknown })).rejects.toMatchObject({
      code: 'SEAL_KEY_UNKNOWN',
      message: expect.stringContaining(unknown),
    })
  })

  test('lists every message with its place and the state of its segment', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    await threeSegments(dek.dekId)
    const messages = await messagesInScope({ dekId: dek.dekId })
    expect(
      messages.map(({ offset, segment }) => [offset, segment.objectKey, segment.state]),
    ).toEqual([
      ...[0, 1, 2].map((offset) => [offset, 'a.seal', 'published']),
      ...[3, 4].map((offset) => [offset, 'b.seal', 'sealed']),
      ...[5, 6, 7, 8].map((offset) => [offset, 'c.seal', 'intended']),
    ])
    expect(messages[0]).toMatchObject({ ...messagesFrom(0, 1)[0], dek: { kekId: dek.kekId } })
  })
})

describe('impact of a KEK', () => {
  test('adds up its DEKs and leaves those of other KEKs and versions out', async () => {
    const old = dekRecord({ kekVersion: '1' })
    const recent = dekRecord({ kekId: old.kekId, kekVersion: '2' })
    const other = dekRecord()
    for (const dek of [old, recent, other]) {
      await store.recordDek(dek)
      await threeSegments(dek.dekId)
    }
    expect(await impactOf(store, { kekId: old.kekId })).toEqual({
      deks: 2,
      segments: { intended: 2, sealed: 2, published: 2, swept: 0, replaced: 0, shredded: 0 },
      objects: 4,
      messages: 18,
      bytes: 4400,
      isComplete: true,
    })
    expect(await impactOf(store, { kekId: old.kekId, kekVersion: '2' })).toEqual(THREE_SEGMENTS)
    const scope = { kekId: old.kekId, kekVersion: '1' }
    const messages = await messagesInScope(scope)
    expect(messages).toHaveLength(9)
    expect(messages.every((message) => message.dek.dekId === old.dekId)).toBe(true)
  })

  test('takes the bare id, and answers with the KEK in full', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    await threeSegments(dek.dekId)
    const bare = dek.kekId.split('/')[1] as string
    expect(await impactOf(store, { kekId: bare })).toEqual(THREE_SEGMENTS)
    const [first] = await messagesInScope({ kekId: bare })
    expect(first?.dek.kekId).toBe(dek.kekId)
  })

  test('is an error for an unknown KEK and for an unknown version of a known one', async () => {
    const dek = dekRecord()
    await store.recordDek(dek)
    const unknown = { code: 'SEAL_KEY_UNKNOWN' }
    await expect(impactOf(store, { kekId: 'arn:none' })).rejects.toMatchObject(unknown)
    await expect(impactOf(store, { kekId: dek.kekId, kekVersion: '99' })).rejects.toMatchObject(
      unknown,
    )
    await expect(messagesInScope({ kekId: 'arn:none' })).rejects.toMatchObject(unknown)
  })
})

describe('impact of a KEK that wraps a DEK no longer', () => {
  test.each<[string, ImpactScope]>([
    ['the KEK', {}],
    ['the KEK and the DEK', { dekId: 'of it' }],
    ['the KEK and the key domain', { keyDomain: 'orders' }],
    ['the KEK and the topic', { topic: 'orders' }],
    ['the KEK, the topic and the DEK', { topic: 'orders', dekId: 'of it' }],
  ])(
    'is found by %s, at every version that ever wrapped it, and by no other',
    async (_by, names) => {
      const dek = dekRecord({ kekVersion: '1' })
      await store.recordDek(dek)
      const segment = await segmentOf(dek.dekId, 'a.seal', 0, 3)
      const frames = columnsOf(messagesFrom(0, 3))
      await store.recordPlaces({ ...segment, createdAtMs: NOW_MS }, frames)
      const next = `${dek.kekId}-next`
      for (const [kekId, kekVersion] of [
        [dek.kekId, '2'],
        [next, '7'],
      ] as const) {
        const wrap = { ...dek, kekId, kekVersion, wrapped: Buffer.from(`${kekId} ${kekVersion}`) }
        await store.noteWrap(wrap)
        const { wrapped } = (await store.find(dek.dekId)) as typeof dek
        expect(await store.replaceWrap(wrap, wrapped)).toBe(true)
      }
      const scope = 'dekId' in names ? { ...names, dekId: dek.dekId } : names
      const messagesUnder = async (kekId: string, kekVersion?: string) => {
        const kek = { kekId, ...(kekVersion === undefined ? {} : { kekVersion }) }
        const found = await messagesInScope({ ...scope, ...kek }).catch(() => [])
        return found.map((one) => [one.dek.kekId, one.dek.kekVersion])
      }
      const thrice = (kekId: string, version: string) => Array(3).fill([kekId, version])
      expect(await messagesUnder(dek.kekId)).toEqual(thrice(dek.kekId, '1'))
      expect(await messagesUnder(dek.kekId, '2')).toEqual(thrice(dek.kekId, '2'))
      expect(await messagesUnder(next)).toEqual(thrice(next, '7'))
      expect(await messagesUnder(next, '2')).toEqual([])
      expect(await messagesUnder(`${dek.kekId}-unknown`)).toEqual([])
    },
  )
})
