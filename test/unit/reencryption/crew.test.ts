import { beforeEach, describe, expect, it, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { SealError, toPlainError } from '../../../src/errors.ts'
import { type CrewServices, ReencryptionCrew } from '../../../src/reencryption/crew.ts'
import { itemsInScope, planReencryption } from '../../../src/reencryption/plan.ts'
import type { ReencryptionOutcome } from '../../../src/reencryption/segment-reencryption.ts'
import { shareOut, watchSharing } from '../../../src/reencryption/share-out.ts'
import { decodeOrder, encodeOrder } from '../../../src/reencryption/work-queue.ts'
import { newOrder, workQueueContract } from '../../contracts/work-queue.contract.ts'
import { MemoryWorkQueue } from '../../support/memory-work-queue.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'
import { makeDek } from '../../support/sealed-segment.ts'

workQueueContract('memory', () => {
  const queue = new MemoryWorkQueue()
  return () => queue
})

let place: ReencryptionPlace
let queue: MemoryWorkQueue
let dekId: string
beforeEach(async () => {
  place = new ReencryptionPlace()
  queue = new MemoryWorkQueue()
  const dek = await makeDek(place.kms)
  dekId = dek.record.dekId
  for (let i = 0; i < 6; i++) await place.seal(messages(3), dek)
})

const sources = () => ({ mapping: place.mapping, rotation: place.rotation })
const shared = () => ({ queue, marks: place.mapping })
const plan = () => planReencryption(sources(), { dekId }, place.clock.nowMs())

function crewOf(over: Partial<CrewServices> = {}) {
  const told = {
    outcomes: [] as ReencryptionOutcome[],
    failed: [] as SealError[],
    steppedBack: [] as (SealError | null)[],
    opened: 0,
    closed: 0,
  }
  const services: CrewServices = {
    queue,
    clock: systemClock,
    async withServices(work) {
      told.opened++
      await work(place.services())
      told.closed++
    },
    observer: {
      reencrypted: (outcome) => void told.outcomes.push(outcome),
      reencryptionFailed: (_item, error) => void told.failed.push(error),
      reencryptionSteppedBack: (error) => void told.steppedBack.push(error),
      reencryptionQueueFailed: () => {},
    },
    ...over,
  }
  const settings = { ordersAtOnce: 2, lookEveryMs: 10, stepBackMs: 50 }
  return { crew: new ReencryptionCrew(services, settings), told }
}

const settle = async () => {
  while ((await queue.left()) > 0) await new Promise((resolve) => setTimeout(resolve, 1))
}

describe('processes that take part', () => {
  test('share the orders out, and every segment is re-encrypted once', async () => {
    const crews = [crewOf(), crewOf()]
    const items = itemsInScope(sources(), { dekId }, place.clock.nowMs())
    expect(await shareOut(shared(), items, { dekId })).toBe(6)
    for (const { crew } of crews) crew.start()
    await watchSharing(queue, systemClock, { onLeft: () => {}, signal: place.stop.signal })
    await settle()
    await Promise.all(crews.map(({ crew }) => crew.stop()))
    const outcomes = crews.flatMap(({ told }) => told.outcomes)
    expect(outcomes.filter(({ kind }) => kind === 'moved')).toHaveLength(6)
    expect(await plan()).toMatchObject({ segments: 0, done: 6 })
    expect(await place.wrong()).toEqual([])
    for (const { told } of crews) expect(told.closed).toBe(told.opened)
  })

  test('hold nothing as long as there is nothing to be done', async () => {
    const { crew, told } = crewOf()
    crew.start()
    await new Promise((resolve) => setTimeout(resolve, 20))
    await crew.stop()
    expect(told.opened).toBe(0)
  })

  test('go on behind a segment that cannot be re-encrypted', async () => {
    const damaged = place.segments[2]
    place.damage(damaged?.objectKey ?? '')
    await shareOut(shared(), itemsInScope(sources(), { dekId }, 0), { dekId })
    const { crew, told } = crewOf()
    crew.start()
    await settle()
    await crew.stop()
    expect(told.failed).toMatchObject([{ code: 'SEAL_OPEN_FAILED' }])
    expect(await plan()).toMatchObject({ segments: 1, done: 5 })
  })

  const lacking = (place: ReencryptionPlace) => {
    const refused = new SealError('SEAL_STORE_REFUSED', 'grant s3:PutObject')
    const run = async () => ({ ok: false as const, error: toPlainError(refused, refused.code) })
    return place.services(undefined, { runner: { run, close: async () => {} } })
  }

  test('leave orders to others when they lack the rights, and step back', async () => {
    await shareOut(shared(), itemsInScope(sources(), { dekId }, 0), { dekId })
    const poor = crewOf({ withServices: (work) => work(lacking(place)) })
    poor.crew.start()
    while (poor.told.steppedBack.length === 0) await new Promise((done) => setTimeout(done, 1))
    expect(poor.told.steppedBack).toMatchObject([{ code: 'SEAL_STORE_REFUSED' }])
    expect(await queue.left()).toBe(6)
    const { crew, told } = crewOf()
    crew.start()
    await settle()
    await Promise.all([crew.stop(), poor.crew.stop()])
    expect(told.outcomes).toHaveLength(6)
    expect([...told.failed, ...poor.told.failed]).toEqual([])
    expect(await plan()).toMatchObject({ segments: 0, done: 6 })
  })

  test('step back when they cannot even begin, and come again', async () => {
    await shareOut(shared(), itemsInScope(sources(), { dekId }, 0), { dekId })
    let tries = 0
    const denied = new SealError('SEAL_STORE_REFUSED', 'no right to look')
    const { crew, told } = crewOf({
      withServices: (work) => (tries++ === 0 ? Promise.reject(denied) : work(place.services())),
    })
    crew.start()
    await settle()
    await crew.stop()
    expect(told.steppedBack).toEqual([denied, null])
    expect(told.outcomes).toHaveLength(6)
  })

  test('refuse orders that would leave a segment under the KEK that is to be left', async () => {
    const { kekId } = (await place.kms.generateDataKey(
      '5ea15eed-0000-4000-8000-00000000000b',
      {},
    )) as { kekId: string }
    const items = itemsInScope(sources(), { dekId }, 0)
    await shareOut(shared(), items, { kekId, kekVersion: '1' })
    const { crew, told } = crewOf()
    crew.start()
    await settle()
    await crew.stop()
    expect(new Set(told.failed.map(({ code }) => code))).toEqual(new Set(['SEAL_KEK_FORBIDDEN']))
    // Nobody can carry these out: each was put back so often before it failed.
    expect(told.steppedBack.length).toBeGreaterThanOrEqual(8)
    expect(await plan()).toMatchObject({ segments: 6 })
  })
})

describe('an order as a record', () => {
  it('comes back as it was', () => {
    for (const order of [newOrder(), newOrder({ leaving: { kekId: 'k', kekVersion: null } })]) {
      expect(decodeOrder(encodeOrder(order))).toEqual(order)
    }
  })

  const good = JSON.parse(encodeOrder(newOrder()).toString()) as Record<string, unknown>
  it.each([
    ['of another version', { v: 2 }],
    ['whose object is another segment', { objectKey: 'sealed/segments/a/b.seal' }],
    ['without an id', { dekId: undefined }],
    ['whose id is none', { rowsDekId: '../x' }],
    ['without a size', { bytes: null }],
    ['that was put back no one knows how often', { refusals: 'x' }],
    ['that leaves nonsense', { leaving: 'kek' }],
    ['that leaves a KEK without a name', { leaving: { kekVersion: '1' } }],
  ])('is refused %s', (_what, change) => {
    const bytes = Buffer.from(JSON.stringify({ ...good, ...change }))
    expect(() => decodeOrder(bytes)).toThrow(expect.objectContaining({ code: 'SEAL_MALFORMED' }))
  })

  it.each(['', '{', 'null', '[]', '"x"'])('is refused as %j', (text) => {
    expect(() => decodeOrder(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'SEAL_MALFORMED' }),
    )
  })
})
