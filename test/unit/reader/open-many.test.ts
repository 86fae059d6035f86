import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { beforeEach, describe, expect, it } from 'vitest'
import type { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import { ReferenceListWriter } from '../../../src/format/reference-list.ts'
import type { Reference } from '../../../src/format/reference-value.ts'
import { SealedReader } from '../../../src/reader/sealed-reader.ts'
import { emptyDirectory } from '../../support/empty-directory.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { messages } from '../../support/messages.ts'
import { KEK_ID, makeDek, sealSegment } from '../../support/sealed-segment.ts'

const BOUNDS = { inFlightBytesMax: 64 * 1024 * 1024, requestsAtOnceMax: 4 }
let kms: FakeKms
let store: MemoryObjectStore
let references: Reference[]
let reader: SealedReader

beforeEach(async () => {
  kms = new FakeKms(KEK_ID)
  store = new MemoryObjectStore()
  references = []
  for (let partition = 0; partition < 6; partition++) {
    const sent = messages(4, { partition })
    references.push(...(await sealSegment(await makeDek(kms), store, sent)).references)
  }
  reader = readerOf({})
})

function readerOf(over: Partial<ConstructorParameters<typeof SealedReader>[1]>): SealedReader {
  const services = { objects: store, kms, directory: emptyDirectory, clock: new ManualClock() }
  const permissions = { allowedKekIds: [KEK_ID], entriesMax: 10, ttlMs: 1_000, bounds: BOUNDS }
  return new SealedReader(services, { ...permissions, ...over })
}

const placeOf = ({ partition, offset }: Pick<Message, 'partition' | 'offset'>) =>
  `${partition}/${offset}`
const places = () => references.map(placeOf)

async function opened(source: Parameters<SealedReader['openMany']>[0], bytesAheadMax?: number) {
  const found: string[] = []
  const options = bytesAheadMax === undefined ? {} : { bytesAheadMax }
  for await (const message of reader.openMany(source, options)) found.push(placeOf(message))
  return found
}

async function* slowly<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    yield item
  }
}

/** Values that name all messages of a segment each. */
function listed(): string[] {
  const values: string[] = []
  for (const object of new Set(references.map((reference) => reference.object))) {
    const own = references.filter((reference) => reference.object === object)
    const writer = new ReferenceListWriter(own[0] as Reference, (value) => values.push(value))
    for (const { offset, position, length } of own) writer.add(offset, position, length)
    writer.flush()
  }
  return values
}

describe('many references', () => {
  it('come one by one from values that name several, whatever fits together', async () => {
    const values = listed()
    expect(values).toHaveLength(6)
    expect(await opened(values)).toEqual(places())
    expect(await opened(slowly(values.map((value) => Buffer.from(value))), 400)).toEqual(places())
    await expect(reader.openReference(values[0] as string)).rejects.toThrow('it names 4 messages')
  })

  it('tell of one that is none before the next has come, and of a record without a value', async () => {
    const more = Promise.withResolvers<void>()
    async function* source() {
      yield '{}'
      await more.promise
      yield null as unknown as string
      yield references[0] as Reference
    }
    const failures: string[] = []
    const found: string[] = []
    const onFailure = (error: SealError) => {
      failures.push(error.code)
      more.resolve()
    }
    for await (const message of reader.openMany(source(), { onFailure }))
      found.push(placeOf(message))
    expect(failures).toEqual(['SEAL_REFERENCE_INVALID', 'SEAL_REFERENCE_INVALID'])
    expect(found).toEqual(places().slice(0, 1))
  })

  it('fail at their place when a value that names several is damaged', async () => {
    const values = listed()
    const damaged = (values[1] as string).replace('"count":4', '"count":5')
    const failures: string[] = []
    const found: string[] = []
    const onFailure = (error: SealError) => void failures.push(error.message)
    for await (const message of reader.openMany([values[0] as string, damaged], { onFailure })) {
      found.push(placeOf(message))
    }
    expect(found).toEqual(places().slice(0, 4))
    expect(failures).toEqual([expect.stringContaining('"frames" is cut short')])
  })

  it('come in their order from a list, an async iterable, Node and web streams', async () => {
    references.sort((a, b) => a.offset - b.offset || b.partition - a.partition)
    for (const source of [references, slowly(references), Readable.from(references)]) {
      expect(await opened(source)).toEqual(places())
    }
    expect(await opened(ReadableStream.from(references))).toEqual(places())
    expect(await opened(references, 1)).toEqual(places())
    expect(await opened([])).toEqual([])
  })

  it('share requests as long as they come together', async () => {
    await opened(references)
    expect(store.reads).toHaveLength(6)
  })

  it('go on as Node and web streams, and a stream that is cancelled lets go of its source', async () => {
    let isOver = false
    async function* source() {
      try {
        yield* references
      } finally {
        isOver = true
      }
    }
    const whole = await Readable.from(reader.openMany(references)).toArray()
    expect(whole.map(placeOf)).toEqual(places())
    const web = ReadableStream.from(reader.openMany(source()))
    const taker = web.getReader()
    expect(placeOf((await taker.read()).value as Message)).toBe(places()[0])
    await taker.cancel()
    expect(isOver).toBe(true)
  })

  it('are yielded though the next one never comes', async () => {
    const never = Promise.withResolvers<never>()
    async function* source() {
      yield references[0] as Reference
      await never.promise
    }
    const iterator = reader.openMany(source())
    expect((await iterator.next()).value).toMatchObject({ offset: references[0]?.offset })
    const ended = await Promise.race([
      iterator.return().then(() => 'left'),
      new Promise((resolve) => setTimeout(resolve, 1_000, 'stuck')),
    ])
    expect(ended).toBe('left')
  })

  it('are read no further ahead than was allowed', async () => {
    const iterator = reader.openMany(references, { bytesAheadMax: 1 })
    await iterator.next()
    await new Promise(setImmediate)
    expect(store.reads.length).toBeLessThanOrEqual(2)
    await iterator.return()
  })

  it('end at the first that does not open, when those before it were yielded', async () => {
    store.objects.delete(references[9]?.object as string)
    const found: string[] = []
    const reading = async () => {
      for await (const message of reader.openMany(references)) found.push(placeOf(message))
    }
    await expect(reading()).rejects.toMatchObject({ code: 'SEAL_OBJECT_MISSING', kind: 'gone' })
    expect(found).toEqual(places().slice(0, 8))
  })

  it('pass over those that a handler takes, each at its place', async () => {
    store.objects.delete(references[9]?.object as string)
    const seen: string[] = []
    const onFailure = async ({ kind }: SealError) => void seen.push(kind)
    const mixed = [...references.slice(0, 9), '{}', ...references.slice(12)]
    for await (const message of reader.openMany(mixed, { onFailure })) seen.push(placeOf(message))
    expect(seen).toEqual([...places().slice(0, 8), ...['gone', 'malformed'], ...places().slice(12)])
  })

  it('tell what the iterable throws', async () => {
    async function* source() {
      yield references[0] as Reference
      throw new Error('no more')
    }
    await expect(opened(source())).rejects.toThrow('no more')
  })

  it('end with the reason of a signal, also while nothing comes', async () => {
    const stop = new AbortController()
    async function* source() {
      yield references[0] as Reference
      await new Promise(() => {})
    }
    const iterator = reader.openMany(source(), { signal: stop.signal })
    await iterator.next()
    const next = iterator.next()
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
  })
})

describe('a reader', () => {
  it('keeps to its bounds over all calls', async () => {
    let atOnce = 0
    let most = 0
    const read = store.readRange.bind(store)
    store.readRange = async (...asked) => {
      most = Math.max(most, ++atOnce)
      await new Promise((resolve) => setTimeout(resolve, 1))
      return read(...asked).finally(() => atOnce--)
    }
    await Promise.all(references.map((one) => reader.openReference(one)))
    expect(most).toBe(4)
    most = 0
    const narrow = readerOf({ bounds: { inFlightBytesMax: 1, requestsAtOnceMax: 4 } })
    await Promise.all(references.map((one) => narrow.openReference(one)))
    expect(most).toBe(1)
  })

  it('asks for no object outside its prefixes', async () => {
    const [reference] = references as [Reference]
    const outside = readerOf({ allowedPrefixes: ['seal', 'other'] })
    await expect(outside.openReference(reference)).rejects.toMatchObject({
      ...{ code: 'SEAL_OBJECT_NOT_ALLOWED', kind: 'denied' },
    })
    expect(store.reads).toEqual([])
    const inside = readerOf({ allowedPrefixes: ['other', 'sealed'] })
    expect(await inside.openReference(reference)).toMatchObject({ offset: reference.offset })
  })

  it('gives every reference an outcome, and holds it to its source', async () => {
    kms.failures.push(
      new (await import('../../../src/errors.ts')).SealError('SEAL_KMS_DENIED', 'x'),
    )
    const source = { topic: 'orders', partition: 0 }
    const outcomes = await reader.settleReferences(references.slice(2, 6), { source })
    expect(outcomes.map((one) => (one as SealError).kind ?? 'open')).toEqual([
      ...['denied', 'denied', 'moved', 'moved'],
    ])
  })

  it('gives up what a signal ends', async () => {
    const stop = new AbortController()
    stop.abort(new Error('enough'))
    const call = reader.openReference(references[0] as Reference, { signal: stop.signal })
    await expect(call).rejects.toThrow('enough')
  })

  it('wipes its keys when asked, goes on, and opens nothing once it is closed', async () => {
    const [reference] = references as [Reference]
    await reader.openReference(reference)
    await reader.openReference(reference)
    expect(kms.calls.unwrap).toBe(1)
    reader.wipeKeys()
    await reader.openReference(reference)
    expect(kms.calls.unwrap).toBe(2)
    await reader.close()
    await expect(reader.openReference(reference)).rejects.toMatchObject({ code: 'SEAL_STOPPED' })
    expect(kms.calls.unwrap).toBe(2)
  })
})
