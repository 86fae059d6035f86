import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import type { Reference } from '../../../src/format/reference-value.ts'
import { SealedReader } from '../../../src/reader/sealed-reader.ts'
import { emptyDirectory } from '../../support/empty-directory.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { comparable, messages } from '../../support/messages.ts'
import { KEK_ID, makeDek, sealSegment } from '../../support/sealed-segment.ts'

const TTL_MS = 1_000

let kms: FakeKms
let store: MemoryObjectStore

beforeEach(() => {
  kms = new FakeKms(KEK_ID)
  store = new MemoryObjectStore()
})

function newReader(
  allowedKekIds = [KEK_ID],
  entriesMax = 10,
  clock = new ManualClock(),
): SealedReader {
  const services = { objects: store, kms, directory: emptyDirectory, clock }
  return new SealedReader(services, { allowedKekIds, entriesMax, ttlMs: TTL_MS })
}

async function sealed(
  partition: number,
): Promise<{ sent: Message[]; references: readonly Reference[] }> {
  const sent = messages(4, { partition })
  const { references } = await sealSegment(await makeDek(kms), store, sent)
  return { sent, references }
}

describe('a reader', () => {
  it('opens one reference from bytes, text or parsed', async () => {
    const { sent, references } = await sealed(0)
    const reader = newReader()
    const reference = references[2] as Reference
    const text = JSON.stringify({ v: 1, ...reference })
    for (const form of [reference, text, Buffer.from(text)]) {
      const opened = await reader.openReference(form)
      expect(comparable(opened)).toEqual(comparable(sent[2] as Message))
      expect(opened).toMatchObject({ topic: 'orders', partition: 0, offset: 102 })
    }
    await reader.close()
  })

  it('opens many in their order, with one request a segment and one unwrap a DEK', async () => {
    const segments = await Promise.all([0, 1, 2].map(sealed))
    const mixed = [3, 0, 2, 1].flatMap((i) =>
      segments.map(({ sent, references }) => [sent[i], references[i]] as const),
    )
    const opened = await newReader().openReferences(
      mixed.map(([, reference]) => reference as Reference),
    )
    expect(opened.map(comparable)).toEqual(mixed.map(([sent]) => comparable(sent as Message)))
    expect(opened.map(({ partition }) => partition)).toEqual(mixed.map(([sent]) => sent?.partition))
    expect(store.reads).toHaveLength(3)
    expect(kms.calls.unwrap).toBe(3)
  })

  it('opens more segments at once than its key cache holds', async () => {
    const segments = await Promise.all(Array.from({ length: 20 }, (_, i) => sealed(i)))
    const opened = await newReader([KEK_ID], 1).openReferences(
      segments.flatMap(({ references }) => references),
    )
    expect(opened).toHaveLength(80)
  })

  it('opens nothing for no references', async () => {
    expect(await newReader().openReferences([])).toEqual([])
  })

  it('refuses all when one reference is not valid, before anything is read', async () => {
    const { references } = await sealed(0)
    await expect(newReader().openReferences([...references, '{}'])).rejects.toMatchObject({
      code: 'SEAL_REFERENCE_INVALID',
    })
    expect(store.reads).toEqual([])
  })

  it('refuses all when one frame was altered', async () => {
    const { references } = await sealed(0)
    const { object, position } = references[3] as Reference
    const bytes = store.objects.get(object)?.bytes as Buffer
    bytes.writeUInt8(bytes.readUInt8(position + 20) ^ 1, position + 20)
    await expect(newReader().openReferences(references)).rejects.toMatchObject({
      code: 'SEAL_OPEN_FAILED',
      retryable: false,
    })
  })

  it('says that an object is missing, and that one ends too early', async () => {
    const { references } = await sealed(0)
    const reference = references[3] as Reference
    await expect(
      newReader().openReference({ ...reference, position: reference.position + 1 }),
    ).rejects.toMatchObject({ code: 'SEAL_MALFORMED' })
    store.objects.clear()
    await expect(newReader().openReference(reference)).rejects.toMatchObject({
      code: 'SEAL_OBJECT_MISSING',
    })
  })

  it('refuses an object that is no segment', async () => {
    const { references } = await sealed(0)
    const reference = references[0] as Reference
    const { bytes } = store.objects.get(reference.object) as { bytes: Buffer }
    store.objects.set(reference.object, { bytes, metadata: {} })
    await expect(newReader().openReference(reference)).rejects.toMatchObject({
      code: 'SEAL_MALFORMED',
    })
  })

  it('passes on that the KMS is away, and opens when it is back', async () => {
    const { references } = await sealed(0)
    const reader = newReader()
    kms.failures.push(new SealError('SEAL_KMS_UNAVAILABLE', 'down', { retryable: true }))
    await expect(reader.openReferences(references)).rejects.toMatchObject({
      code: 'SEAL_KMS_UNAVAILABLE',
      retryable: true,
    })
    expect(await reader.openReferences(references)).toHaveLength(4)
  })

  it('opens what it has keys for while the KMS is away and when the KEK is destroyed, until their time is over', async () => {
    const { references } = await sealed(0)
    const clock = new ManualClock()
    const reader = newReader([KEK_ID], 10, clock)
    const away = new SealError('SEAL_KMS_UNAVAILABLE', 'down', { retryable: true })
    await reader.openReferences(references)
    kms.failures.push(away)
    clock.advance(TTL_MS - 1)
    expect(await reader.openReferences(references)).toHaveLength(4)
    clock.advance(1)
    await expect(reader.openReferences(references)).rejects.toHaveProperty(
      'kind',
      'key-unavailable',
    )

    expect(await reader.openReferences(references)).toHaveLength(4)
    kms.destroy(KEK_ID)
    clock.advance(TTL_MS - 1)
    expect(await reader.openReferences(references)).toHaveLength(4)
    clock.advance(1)
    await expect(reader.openReferences(references)).rejects.toHaveProperty('kind', 'destroyed')
  })

  it('asks no KMS for a KEK that is not on its list', async () => {
    const { references } = await sealed(0)
    await expect(newReader([]).openReferences(references)).rejects.toMatchObject({
      code: 'SEAL_KEK_NOT_ALLOWED',
    })
    expect(kms.calls.unwrap).toBe(0)
  })
})

describe('a reader that tries references', () => {
  const outcomes = (found: readonly (Message | SealError)[]) =>
    found.map((one) => (one instanceof SealError ? one.code : one.offset))

  it('gives each its own outcome, in their order', async () => {
    const [whole, altered, gone] = await Promise.all([0, 1, 2].map(sealed))
    const second = altered?.references[1]
    const bytes = store.objects.get(second?.object ?? '')?.bytes as Buffer
    const at = (second?.position ?? 0) + 20
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    store.objects.delete(gone?.references[0]?.object ?? '')
    const all = [gone, altered, whole].flatMap((segment) => [...(segment?.references ?? [])])
    const found = await newReader().tryReferences(all)
    const missing = Array.from({ length: 4 }, () => 'SEAL_OBJECT_MISSING')
    const rest = [100, 'SEAL_OPEN_FAILED', 102, 103, 100, 101, 102, 103]
    expect(outcomes(found)).toEqual([...missing, ...rest])
    const sent = whole?.sent as Message[]
    expect(found.slice(8).map((one) => comparable(one as Message))).toEqual(sent.map(comparable))
  })

  it('still opens what is in front of the cut of an object', async () => {
    const { references } = await sealed(0)
    const { object, position } = references[2] as Reference
    const { bytes, metadata } = store.objects.get(object) as { bytes: Buffer; metadata: object }
    store.objects.set(object, {
      bytes: bytes.subarray(0, position + 10),
      metadata: { ...metadata },
    })
    const found = await newReader().tryReferences(references)
    expect(outcomes(found)).toEqual([100, 101, 'SEAL_MALFORMED', 'SEAL_MALFORMED'])
  })

  it('reads an object that is no segment once', async () => {
    const { references } = await sealed(0)
    const { object } = references[0] as Reference
    const { bytes } = store.objects.get(object) as { bytes: Buffer }
    store.objects.set(object, { bytes, metadata: {} })
    expect(outcomes(await newReader().tryReferences(references))).toEqual(
      references.map(() => 'SEAL_MALFORMED'),
    )
    expect(store.reads).toHaveLength(1)
  })

  it('takes a key that it may not ask for as a verdict, and a KMS that is away as none', async () => {
    const { references } = await sealed(0)
    const refused = await newReader([]).tryReferences(references)
    expect(outcomes(refused)).toEqual(references.map(() => 'SEAL_KEK_NOT_ALLOWED'))
    kms.failures.push(new SealError('SEAL_KMS_UNAVAILABLE', 'down', { retryable: true }))
    await expect(newReader().tryReferences(references)).rejects.toMatchObject({
      code: 'SEAL_KMS_UNAVAILABLE',
    })
  })
})
