import { beforeEach, describe, expect, it } from 'vitest'
import { nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import type { FrameCipher } from '../../../src/crypto/frame-cipher.ts'
import type { SegmentKeys } from '../../../src/crypto/segment-keys.ts'
import { SealError } from '../../../src/errors.ts'
import type { MessageHeader } from '../../../src/format/message.ts'
import { parseReferences } from '../../../src/format/reference-list.ts'
import { messageIdHash } from '../../../src/mapping/message-id.ts'
import type { PartResult, PartTask } from '../../../src/pipeline/part-task.ts'
import { workPart } from '../../../src/pipeline/part-worker.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { message, messages } from '../../support/messages.ts'
import {
  KEK_ID,
  makeDek,
  type PreparedSegment,
  prepareSegment,
  RecordingMapping,
  referenceTexts,
} from '../../support/sealed-segment.ts'
import { settled } from '../../support/stepped-clock.ts'

const away = new SealError('SEAL_STORE_UNAVAILABLE', 'away', { retryable: true })
const rowsAway = new SealError('SEAL_MAPPING_UNAVAILABLE', 'away', { retryable: true })
const kms = new FakeKms(KEK_ID)

let store: MemoryObjectStore
let mapping: RecordingMapping
let prepared: PreparedSegment

beforeEach(async () => {
  store = new MemoryObjectStore()
  mapping = new RecordingMapping()
  prepared = prepareSegment(await makeDek(kms), messages(3))
})

const work = (task: PartTask): Promise<PartResult> =>
  workPart(task, { engine: nodeEngine, store, mapping, referencePer: 'message' })

/** The task as it is tried again after `result`. */
function again(task: PartTask, result: PartResult): PartTask {
  if (result.ok) throw new Error('nothing failed')
  return { ...task, buffer: result.buffer, progress: result.progress }
}

describe('working a part', () => {
  it('uploads it, maps it and renders a reference a frame', async () => {
    const result = await work(prepared.task)
    expect(result).toMatchObject({ ok: true, receipt: null })
    expect(store.objects.get(prepared.objectKey)?.metadata).toEqual(prepared.metadata)
    const [rows] = mapping.rows
    expect(rows).toMatchObject({ count: 3, sources: [{ topic: 'orders', partition: 0 }] })
    expect([...(rows?.offset ?? [])]).toEqual([100, 101, 102])
    expect(rows?.position[0]).toBe(160)
    if (!result.ok) return
    const texts = referenceTexts(result.references)
    expect(texts.map((text) => JSON.parse(text).offset)).toEqual([100, 101, 102])
  })

  it('renders a value a source when references are by the part, which names the same frames', async () => {
    const sent = [...messages(3), ...messages(2, { partition: 1 })]
    const task = prepareSegment(await makeDek(kms), sent).task
    const copy = { ...task, buffer: task.buffer.slice(0) }
    const one = await work(task)
    const other = await workPart(copy, {
      ...{ engine: nodeEngine, store, mapping, referencePer: 'part' },
    })
    if (!one.ok || !other.ok) throw new Error('a part failed')
    const values = referenceTexts(other.references)
    expect(values).toHaveLength(2)
    expect(other.references.map(({ source }) => source)).toEqual([0, 1])
    expect(values.flatMap(parseReferences)).toEqual(
      referenceTexts(one.references).flatMap(parseReferences),
    )
  })

  it('counts positions from the start of the object in later parts', async () => {
    const uploadId = await store.createUpload(prepared.objectKey, {})
    const upload = { kind: 'part', uploadId, partNumber: 2 } as const
    const result = await work({ ...prepared.task, position: 5_000_000, upload })
    expect(result).toMatchObject({ ok: true, receipt: { partNumber: 2 } })
    expect(mapping.rows[0]?.position[0]).toBe(5_000_160)
    if (!result.ok) return
    expect(JSON.parse(referenceTexts(result.references)[0] ?? '').position).toBe(5_000_160)
  })

  it('numbers sources as the segment does', async () => {
    const dek = await makeDek(kms)
    const mixed = [
      message({ offset: 1 }),
      message({ offset: 1, partition: 4 }),
      message({ offset: 2 }),
    ]
    const { task } = prepareSegment(dek, mixed)
    const result = await work(task)
    expect([...(mapping.rows[0]?.source ?? [])]).toEqual([0, 1, 0])
    if (!result.ok) return
    const places = referenceTexts(result.references).map((text) => JSON.parse(text))
    expect(places.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 1],
      [0, 2],
      [4, 1],
    ])
    expect(result.references.map(({ source, count }) => [source, count])).toEqual([
      [0, 2],
      [1, 1],
    ])
  })
})

describe('what look-ups need of a part', () => {
  it('is durable before the first byte leaves: without it nothing is sent', async () => {
    const record = mapping.recordPlaces.bind(mapping)
    mapping.recordPlaces = () => Promise.reject(rowsAway)
    const first = await work(prepared.task)
    expect(first).toMatchObject({
      ok: false,
      error: { code: 'SEAL_MAPPING_UNAVAILABLE', retryable: true },
      progress: { sealed: true, uploaded: false },
    })
    expect(store.received).toEqual([])
    mapping.recordPlaces = record
    expect((await work(again(prepared.task, first))).ok).toBe(true)
    expect(mapping.places.map((frames) => [...frames.offset])).toEqual([[100, 101, 102]])
  })

  it('is durable before the first byte of a part of an upload leaves, whose rows go beside it', async () => {
    const record = mapping.recordPlaces.bind(mapping)
    const held = Promise.withResolvers<void>()
    mapping.recordPlaces = (...places) => held.promise.then(() => record(...places))
    const uploadId = await store.createUpload(prepared.objectKey, {})
    const working = work({
      ...{ ...prepared.task, position: 5_000_000 },
      upload: { kind: 'part', uploadId, partNumber: 2 },
    })
    await settled()
    expect([mapping.rows.length, store.received]).toEqual([1, []])
    held.resolve()
    expect(await working).toMatchObject({ ok: true })
    expect(store.received).toHaveLength(1)
  })

  const header = (name: string, value: string | null): MessageHeader => [
    Buffer.from(name),
    value === null ? null : Buffer.from(value),
  ]
  const withIds = [
    [header('id', 'a'), header('other', 'b')],
    [header('ID', 'a'), header('id', null)],
    [header('id', 'b'), header('id', '')],
  ].map((headers, offset) => message({ offset, headers }))
  const workWithIds = (task: PartTask) =>
    workPart(task, {
      ...{ engine: nodeEngine, store, mapping, referencePer: 'message' as const },
      messageIdHeader: Buffer.from('id'),
    })

  it('are the ids of its messages where a header has them, hashed', async () => {
    const { task } = prepareSegment(await makeDek(kms), withIds)
    expect((await workWithIds(task)).ok).toBe(true)
    const [ids] = mapping.ids
    expect([...(ids?.frame ?? [])]).toEqual([0, 2, 2])
    const hashes = ['a', 'b', ''].map((id) => messageIdHash(Buffer.from(id)))
    expect(Buffer.from(ids?.hash ?? [])).toEqual(Buffer.concat(hashes))
    expect(hashes[0]).toHaveLength(16)
  })

  it('are the same ids on a second try, when the messages are sealed already', async () => {
    const { task } = prepareSegment(await makeDek(kms), withIds)
    mapping.failures.push(rowsAway)
    const first = await workWithIds(task)
    expect(mapping.ids).toEqual([])
    expect((await workWithIds(again(task, first))).ok).toBe(true)
    expect([...(mapping.ids[0]?.frame ?? [])]).toEqual([0, 2, 2])
  })

  it('are no ids without a header that has them', async () => {
    const { task } = prepareSegment(await makeDek(kms), withIds)
    expect((await work(task)).ok).toBe(true)
    expect(mapping.ids).toEqual([])
  })
})

describe('a part whose upload failed', () => {
  it('is sealed and mapped, and the next try sends the same bytes and neither seals nor maps', async () => {
    store.failures.push(away)
    const first = await work(prepared.task)
    expect(first).toMatchObject({
      ok: false,
      error: { code: 'SEAL_STORE_UNAVAILABLE', retryable: true },
      progress: { sealed: true, uploaded: false, mapped: true },
    })
    const second = await work(again(prepared.task, first))
    expect(second.ok).toBe(true)
    expect(mapping.rows).toHaveLength(1)
    expect(store.received).toHaveLength(2)
    expect(store.received[1]?.equals(store.received[0] as Buffer)).toBe(true)
  })
})

describe('a part whose rows failed', () => {
  it('is not sent again, and keeps its receipt', async () => {
    const uploadId = await store.createUpload(prepared.objectKey, {})
    const task = { ...prepared.task, upload: { kind: 'part', uploadId, partNumber: 1 } as const }
    mapping.failures.push(rowsAway)
    const first = await work(task)
    expect(first).toMatchObject({
      ok: false,
      error: { code: 'SEAL_MAPPING_UNAVAILABLE' },
      progress: { sealed: true, uploaded: true, mapped: false, receipt: { partNumber: 1 } },
    })
    const second = await work(again(task, first))
    expect(second).toMatchObject({ ok: true, receipt: { partNumber: 1 } })
    expect(store.received).toHaveLength(1)
    expect(mapping.rows).toHaveLength(1)
  })
})

describe('the cipher of a part', () => {
  it.each([false, true])('is let go of: sealing fails %s', async (fails) => {
    const living = new Set<FrameCipher>()
    const engine = {
      create: (keys: SegmentKeys) => {
        const cipher = nodeEngine.create(keys)
        const free = cipher[Symbol.dispose].bind(cipher)
        cipher[Symbol.dispose] = () => {
          living.delete(cipher)
          free()
        }
        cipher.seal = fails ? () => expect.fail('broken') : cipher.seal
        living.add(cipher)
        return cipher
      },
    }
    const outcome = workPart(prepared.task, { engine, store, mapping, referencePer: 'message' })
    if (fails) await expect(outcome).rejects.toThrow('broken')
    else await expect(outcome).resolves.toMatchObject({ ok: true })
    expect(living.size).toBe(0)
  })
})

describe('a part that failed', () => {
  it('tries both again when both failed, over any number of tries', async () => {
    store.failures.push(away, away)
    mapping.failures.push(rowsAway)
    let task = prepared.task
    let tries = 1
    for (let result = await work(task); !result.ok; result = await work(task), tries++) {
      task = again(task, result)
    }
    expect(tries).toBe(4)
    expect(new Set(store.received.map((body) => body.toString('hex'))).size).toBe(1)
    expect(mapping.rows).toHaveLength(1)
  })

  it('puts a whole object only when its rows are there, so that no object is without them', async () => {
    mapping.failures.push(rowsAway)
    const result = await work(prepared.task)
    expect(result).toMatchObject({ ok: false, progress: { mapped: false, uploaded: false } })
    expect(store.received).toEqual([])
    expect(await work(again(prepared.task, result))).toMatchObject({ ok: true })
    expect(store.received).toHaveLength(1)
  })

  it('sends a part of an upload meanwhile: it becomes an object only when all are mapped', async () => {
    mapping.failures.push(rowsAway)
    const uploadId = await store.createUpload(prepared.objectKey, {})
    const upload = { kind: 'part', uploadId, partNumber: 1 } as const
    const result = await work({ ...prepared.task, upload })
    expect(result).toMatchObject({ ok: false, progress: { mapped: false, uploaded: true } })
  })

  it('throws what is not a failure of a service: it is not to be tried again', async () => {
    store.failures.push(new TypeError('a bug'))
    await expect(work(prepared.task)).rejects.toThrow('a bug')
  })

  it('says no word of the plaintext', async () => {
    store.failures.push(away)
    const { buffer, ...rest } = (await work(prepared.task)) as PartResult & { buffer: ArrayBuffer }
    expect(JSON.stringify(rest)).not.toContain('value')
    expect(Buffer.from(buffer).includes('value 0')).toBe(false)
  })
})
