import { beforeEach, describe, expect, it } from 'vitest'
import { keyDirectoryOf, writableKeyDirectoryOf } from '../../../src/compose/key-directory.ts'
import { nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import type { Reference } from '../../../src/format/reference-value.ts'
import { decodeMetadata } from '../../../src/format/segment-metadata.ts'
import { DekCache } from '../../../src/keys/dek-cache.ts'
import type { WritableKeyDirectory } from '../../../src/keys/key-directory.ts'
import type { DekRecord } from '../../../src/keys/key-store.ts'
import type { KmsContext } from '../../../src/keys/kms.ts'
import { kmsContextOf } from '../../../src/keys/kms-context.ts'
import { SealedReader } from '../../../src/reader/sealed-reader.ts'
import { inspectSegment } from '../../../src/reader/segment-inspection.ts'
import { verifySegment } from '../../../src/reader/segment-verification.ts'
import { dekObjectKey } from '../../../src/segment/object-key.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { comparable, messages } from '../../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../../support/sealed-segment.ts'

const NEW_KEK = '5ea15eed-0000-4000-8000-00000000000b'
const NAMES = { prefix: 'sealed' }
const TTL_MS = 1_000

let kms: FakeKms
let store: MemoryObjectStore
let clock: ManualClock
let directory: WritableKeyDirectory
let sent: readonly Message[]
let record: DekRecord
let segment: SealedSegment
let references: readonly Reference[]

beforeEach(async () => {
  kms = new FakeKms(KEK_ID, NEW_KEK)
  store = new MemoryObjectStore()
  clock = new ManualClock()
  directory = writableKeyDirectoryOf(store, store, NAMES)
  sent = messages(3, { partition: 0 })
  const records: DekRecord[] = []
  segment = await sealSegment(await makeDek(kms, 'orders', records), store, sent)
  references = segment.references
  record = records[0] as DekRecord
  await directory.record(record)
})

/** Writes the entry of the DEK anew, whatever it was. */
async function putEntry(dek: DekRecord): Promise<void> {
  const found = await directory.find(record.dekId)
  await directory.replace(dek, found?.revision ?? null)
}

/** Wraps the DEK under the new KEK, as a rewrap leaves it. */
async function moveDek(of = record, context: KmsContext = contextOf(of)): Promise<void> {
  await putEntry({ ...of, ...(await kms.rewrap(of.kekId, of.wrapped, NEW_KEK, context)) })
}

const contextOf = ({ dekId, keyDomain }: DekRecord) => kmsContextOf(dekId, keyDomain)

function newReader(allowedKekIds = [KEK_ID, NEW_KEK]): SealedReader {
  const services = { objects: store, kms, directory: keyDirectoryOf(store, NAMES), clock }
  return new SealedReader(services, { allowedKekIds, entriesMax: 10, ttlMs: TTL_MS })
}

const directoryReads = () =>
  store.reads.filter(({ key }) => key === dekObjectKey(NAMES, record.dekId)).length

async function expectOpened(reader = newReader()): Promise<void> {
  const opened = await reader.openReferences(references)
  expect(opened.map(comparable)).toEqual(sent.map(comparable))
}

const failure = (reader = newReader()) =>
  reader.openReferences(references).then(
    () => 'opened',
    ({ code, message }: SealError) => `${code}: ${message}`,
  )

describe('a segment whose KEK opens nothing any more', () => {
  it.each<[string, () => void]>([
    ['disabled', () => kms.disable(KEK_ID)],
    ['destroyed', () => kms.destroy(KEK_ID)],
    ['denied', () => kms.failures.push(new SealError('SEAL_KMS_DENIED', 'no rights'))],
  ])('is opened by the wrap in the key directory: %s', async (_how, end) => {
    await moveDek()
    end()
    await expectOpened()
  })

  it('is opened though its KEK is trusted no longer, and that KEK is never asked', async () => {
    await moveDek()
    kms.disable(KEK_ID)
    const asked: string[] = []
    const { unwrap } = kms
    kms.unwrap = (kekId, ...rest) => {
      asked.push(kekId)
      return unwrap.call(kms, kekId, ...rest)
    }
    await expectOpened(newReader([NEW_KEK]))
    expect(asked).toEqual([expect.stringContaining(NEW_KEK)])
  })

  it('is verified as a whole', async () => {
    await moveDek()
    kms.disable(KEK_ID)
    const allowedKekIds = [KEK_ID, NEW_KEK]
    const keys = new DekCache({ kms, directory }, clock, { allowedKekIds, entriesMax: 1, ttlMs: 1 })
    const inspection = await inspectSegment(store, segment.objectKey)
    const services = { objects: store, keys, engine: nodeEngine, onFrames: () => {} }
    expect(await verifySegment(inspection, services)).toBe(sent.length)
    keys.close()
  })

  it('costs one look into the directory for all who ask, until the time of the key is over', async () => {
    await moveDek()
    kms.disable(KEK_ID)
    const reader = newReader()
    await Promise.all([1, 2, 3].map(() => expectOpened(reader)))
    await expectOpened(reader)
    expect(directoryReads()).toBe(2)
    clock.advance(TTL_MS)
    await expectOpened(reader)
    expect(directoryReads()).toBe(3)
  })

  it('is opened as soon as there is another wrap: a failure is not remembered', async () => {
    kms.disable(KEK_ID)
    const reader = newReader()
    expect(await failure(reader)).toMatch(/^SEAL_KEK_DISABLED: .*is disabled$/)
    kms.enable(KEK_ID)
    await moveDek()
    kms.disable(KEK_ID)
    await expectOpened(reader)
  })
})

describe('the key directory', () => {
  it('is not asked while the wrap of the segment opens', async () => {
    await moveDek()
    const before = directoryReads()
    await expectOpened()
    expect(directoryReads()).toBe(before)
  })

  it('is not asked for a wrap that was altered', async () => {
    await moveDek()
    const before = directoryReads()
    const { bytes, metadata } = store.objects.get(segment.objectKey) as SealedSegment
    const wrapped = Buffer.from(metadata['ss-k'] as string, 'base64url')
    wrapped.writeUInt8((wrapped.at(-1) ?? 0) ^ 1, wrapped.length - 1)
    const altered = { ...metadata, 'ss-k': wrapped.toString('base64url') }
    store.objects.set(segment.objectKey, { bytes, metadata: altered })
    expect(await failure()).toMatch(/^SEAL_KEY_TAMPERED/)
    expect(directoryReads()).toBe(before)
  })

  it.each<[string, () => Promise<void>, RegExp]>([
    [
      'has no entry',
      async () => void store.objects.delete(dekObjectKey(NAMES, record.dekId)),
      /^SEAL_KEK_DISABLED: .*no entry of the data key/,
    ],
    [
      'has something else',
      async () =>
        void store.objects.set(dekObjectKey(NAMES, record.dekId), {
          bytes: Buffer.from('x'),
          metadata: {},
        }),
      /^SEAL_KEK_DISABLED: .*does not help: sealed\/deks\/.*no entry/,
    ],
    [
      'has the entry of another DEK',
      async () => {
        const records: DekRecord[] = []
        await makeDek(kms, 'orders', records)
        const other = { ...(records[0] as DekRecord), kekId: NEW_KEK }
        await putEntry({ ...record, ...other, dekId: record.dekId })
      },
      /^SEAL_KEY_TAMPERED/,
    ],
    [
      'names another DEK',
      async () => putEntryRaw({ ...record, dekId: NEW_KEK }),
      /^SEAL_KEY_TAMPERED: the entry .* is that of another/,
    ],
    [
      'names another key domain',
      async () => putEntryRaw({ ...record, keyDomain: 'payments' }),
      /^SEAL_KEY_TAMPERED: the entry .* is that of another/,
    ],
    [
      'has a KEK that is not trusted',
      async () => putEntry({ ...record, kekId: 'evil' }),
      /^SEAL_KEK_NOT_ALLOWED: the data key is by now wrapped under evil/,
    ],
  ])('is of no use when it %s', async (_what, spoil, words) => {
    await spoil()
    kms.disable(KEK_ID)
    expect(await failure()).toMatch(words)
  })

  it('cannot pass off another key: the commitment has the last word', async () => {
    // Somebody with the right to wrap makes a key of their own for this very context.
    const { plaintext: _, ...forged } = await kms.generateDataKey(NEW_KEK, contextOf(record))
    await putEntry({ ...record, ...forged })
    kms.disable(KEK_ID)
    expect(await failure()).toMatch(/^SEAL_COMMITMENT_MISMATCH/)
    const outcomes = await newReader().tryReferences(references)
    expect(outcomes.every((one) => one instanceof SealError)).toBe(true)
  })

  it('serves no other wrap with the key that it gave for one', async () => {
    await moveDek()
    kms.disable(KEK_ID)
    const keys = new DekCache({ kms, directory }, clock, {
      ...{ allowedKekIds: [KEK_ID, NEW_KEK], entriesMax: 10, ttlMs: TTL_MS },
    })
    const metadata = decodeMetadata(segment.metadata)
    const use = async (changes: Partial<typeof metadata>) => {
      const dek = await keys.dekOf({ ...metadata, ...changes })
      dek.release()
    }
    await use({})
    const { unwrap } = kms.calls
    await use({})
    expect(kms.calls.unwrap).toBe(unwrap)
    const bare = Buffer.from(metadata.wrapped)
    await expect(use({ keyDomain: 'payments' })).rejects.toMatchObject({
      code: 'SEAL_KEY_TAMPERED',
    })
    await expect(use({ kekId: NEW_KEK })).rejects.toMatchObject({ code: 'SEAL_KEY_TAMPERED' })
    await use({ wrapped: bare.subarray(1) })
    expect(kms.calls.unwrap).toBeGreaterThan(unwrap + 1)
    keys.close()
  })

  it('that is away is waited for', async () => {
    await moveDek()
    kms.disable(KEK_ID)
    const { readEnd } = store
    store.readEnd = () =>
      Promise.reject(new SealError('SEAL_STORE_UNAVAILABLE', 'away', { retryable: true }))
    await expect(newReader().openReferences(references)).rejects.toMatchObject({ retryable: true })
    store.readEnd = readEnd
    await expectOpened()
  })

  it('that may not be read leaves the answer of the KMS standing', async () => {
    kms.disable(KEK_ID)
    store.readEnd = () => Promise.reject(new SealError('SEAL_STORE_REFUSED', 'no right'))
    expect(await failure()).toMatch(/^SEAL_KEK_DISABLED: .*does not help: no right/)
  })
})

describe('the writable key directory', () => {
  it('keeps the first entry when it is recorded again, and a later one as well', async () => {
    await directory.record(record)
    expect((await directory.find(record.dekId))?.dek).toEqual(record)
    await moveDek()
    const moved = await directory.find(record.dekId)
    await directory.record(record)
    expect(await directory.find(record.dekId)).toEqual(moved)
    expect(moved?.dek.kekId).toContain(NEW_KEK)
  })

  it('replaces the entry that was looked at and no other, and may be asked twice', async () => {
    const first = (await directory.find(record.dekId))?.revision ?? ''
    const next = { ...record, kekId: 'b' }
    await directory.replace(next, first)
    await directory.replace(next, first)
    await expect(directory.replace({ ...record, kekId: 'c' }, first)).rejects.toMatchObject({
      code: 'SEAL_OBJECT_CHANGED',
    })
    expect((await directory.find(record.dekId))?.dek.kekId).toBe('b')
  })
})

/** An entry as somebody with write access may put it. */
async function putEntryRaw(dek: DekRecord): Promise<void> {
  const other = writableKeyDirectoryOf(store, store, NAMES)
  const key = dekObjectKey(NAMES, dek.dekId)
  if (dek.dekId !== record.dekId) await other.record(dek)
  else await putEntry(dek)
  const object = store.objects.get(key)
  if (object !== undefined) store.objects.set(dekObjectKey(NAMES, record.dekId), object)
}
