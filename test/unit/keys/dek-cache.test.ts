import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { SealError } from '../../../src/errors.ts'
import { type DecodedMetadata, decodeMetadata } from '../../../src/format/segment-metadata.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { DekCache, type DekCacheOptions } from '../../../src/keys/dek-cache.ts'
import { kmsContextOf } from '../../../src/keys/kms-context.ts'
import { emptyDirectory } from '../../support/empty-directory.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { message } from '../../support/messages.ts'
import { KEK_ID, makeDek, prepareSegment } from '../../support/sealed-segment.ts'
import { SteppedClock } from '../../support/stepped-clock.ts'

let kms: FakeKms
let clock: ManualClock

beforeEach(() => {
  kms = new FakeKms(KEK_ID)
  clock = new ManualClock()
})

function cacheWith(options: Partial<DekCacheOptions> = {}): DekCache {
  return new DekCache({ kms, directory: emptyDirectory }, clock, {
    ...{ allowedKekIds: [KEK_ID], entriesMax: 10, ttlMs: 1_000 },
    ...options,
  })
}

async function newMetadata(): Promise<DecodedMetadata> {
  const dek = await makeDek(kms)
  return decodeMetadata(prepareSegment(dek, [message()]).metadata)
}

/** Asks for the DEK, uses it and lets go of it. */
async function use(cache: DekCache, metadata: DecodedMetadata): Promise<void> {
  const dek = await cache.dekOf(metadata)
  dek.openSegment(metadata.header)
  dek.release()
}

describe('the key cache of a reader', () => {
  it('unwraps a DEK once until its time is over', async () => {
    const cache = cacheWith()
    const metadata = await newMetadata()
    await use(cache, metadata)
    clock.advance(999)
    await use(cache, metadata)
    expect(kms.calls.unwrap).toBe(1)
    clock.advance(1)
    await use(cache, metadata)
    expect(kms.calls.unwrap).toBe(2)
  })

  it('unwraps once for all who ask at the same time', async () => {
    const cache = cacheWith()
    const metadata = await newMetadata()
    await Promise.all([1, 2, 3].map(() => use(cache, metadata)))
    expect(kms.calls.unwrap).toBe(1)
  })

  it('drops the DEK that was used longest ago when it is full', async () => {
    const cache = cacheWith({ entriesMax: 2 })
    const [a, b, c] = [await newMetadata(), await newMetadata(), await newMetadata()] as const
    await use(cache, a)
    await use(cache, b)
    await use(cache, a)
    await use(cache, c)
    expect(kms.calls.unwrap).toBe(3)
    await use(cache, a)
    expect(kms.calls.unwrap).toBe(3)
    await use(cache, b)
    expect(kms.calls.unwrap).toBe(4)
  })

  it('leaves a DEK usable for those who hold it while it is dropped', async () => {
    const cache = cacheWith({ entriesMax: 1 })
    const many = await Promise.all([1, 2, 3, 4].map(newMetadata))
    await Promise.all(many.map((metadata) => use(cache, metadata)))
    const [first, second] = many as [DecodedMetadata, DecodedMetadata]
    await use(cache, first)
    await Promise.all([use(cache, first), use(cache, second), cache.close()])
  })

  it('lets go of its keys on close', async () => {
    const cache = cacheWith()
    const metadata = await newMetadata()
    const dek = await cache.dekOf(metadata)
    dek.release()
    cache.close()
    await Promise.resolve()
    expect(() => dek.openSegment(metadata.header)).toThrow('used after its release')
  })

  it('refuses a KEK that is not on the list without asking the KMS', async () => {
    const cache = cacheWith({ allowedKekIds: ['some-other-key'] })
    const metadata = await newMetadata()
    await expect(cache.dekOf(metadata)).rejects.toMatchObject({ code: 'SEAL_KEK_NOT_ALLOWED' })
    expect(kms.calls.unwrap).toBe(0)
  })

  it('refuses a cached DEK under a KEK name that is not on the list', async () => {
    const cache = cacheWith()
    const metadata = await newMetadata()
    await use(cache, metadata)
    await expect(cache.dekOf({ ...metadata, kekId: 'evil' })).rejects.toMatchObject({
      code: 'SEAL_KEK_NOT_ALLOWED',
    })
  })

  it.each([
    ['a bare id stands for the ARN that ends in it', KEK_ID, true],
    ['an ARN stands for itself', `arn:aws:kms:us-east-1:000000000000:key/${KEK_ID}`, true],
    ['an ARN of another account is another key', `arn:aws:kms:us-east-1:1:key/${KEK_ID}`, false],
    ['the end of an id is not the id', KEK_ID.slice(1), false],
    ['an empty entry allows nothing', '', false],
  ])('%s', async (_what, allowed, isAllowed) => {
    const cache = cacheWith({ allowedKekIds: [allowed] })
    const using = use(cache, await newMetadata())
    if (isAllowed) await using
    else await expect(using).rejects.toMatchObject({ code: 'SEAL_KEK_NOT_ALLOWED' })
  })

  it('does not remember a failure', async () => {
    const cache = cacheWith()
    const metadata = await newMetadata()
    kms.failures.push(new SealError('SEAL_KMS_UNAVAILABLE', 'down', { retryable: true }))
    const tries = await Promise.allSettled([use(cache, metadata), use(cache, metadata)])
    expect(tries.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await use(cache, metadata)
    expect(kms.calls.unwrap).toBe(2)
  })

  it('unwraps another wrap of the same DEK anew', async () => {
    const cache = cacheWith()
    const metadata = await newMetadata()
    await use(cache, metadata)
    const context = kmsContextOf(metadata.header.dekId, metadata.keyDomain)
    const { wrapped } = await kms.rewrap(KEK_ID, metadata.wrapped, KEK_ID, context)
    const before = kms.calls.unwrap
    await use(cache, { ...metadata, wrapped })
    expect(kms.calls.unwrap).toBe(before + 1)
    await expect(use(cache, { ...metadata, wrapped: Buffer.from(randomUUID()) })).rejects.toThrow()
  })
})

describe('an entry whose time is over', () => {
  it('is wiped then, though nobody asks again, and one that came later is not', async () => {
    const stepped = new SteppedClock()
    const cache = new DekCache({ kms, directory: emptyDirectory }, stepped, {
      ...{ allowedKekIds: [KEK_ID], entriesMax: 10, ttlMs: 1_000 },
    })
    const deks: Dek[] = []
    for (const metadata of [await newMetadata(), await newMetadata()]) {
      deks.push(await cache.dekOf(metadata))
      deks.at(-1)?.release()
      await stepped.step(400)
    }
    const [first, second] = deks.map((dek) => () => inspect(dek)) as [() => string, () => string]
    await stepped.step(199)
    expect([first(), second()]).not.toContainEqual(expect.stringContaining('destroyed'))
    await stepped.step(1)
    expect(first()).toContain('destroyed')
    expect(second()).not.toContain('destroyed')
    await stepped.step(400)
    expect(second()).toContain('destroyed')
  })

  it('keeps no process alive that forgets to close its reader', async () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const dozing = systemClock.doze(60_000)
    expect(timers()).toBe(before)
    void dozing
  })
})
