import { beforeEach, describe, expect, test } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import type { FrameColumns, SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { PacedBudget } from '../../../src/paced-budget.ts'
import { type JobSettings, reencryptAll } from '../../../src/reencryption/job.ts'
import {
  itemsInScope,
  planReencryption,
  type ReencryptionScope,
} from '../../../src/reencryption/plan.ts'
import type { ReencryptionServices } from '../../../src/reencryption/segment-reencryption.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'
import { makeDek } from '../../support/sealed-segment.ts'

let place: ReencryptionPlace
let dekId: string
let job: AbortController
beforeEach(async () => {
  place = new ReencryptionPlace()
  job = new AbortController()
  const dek = await makeDek(place.kms)
  dekId = dek.record.dekId
  for (let i = 0; i < 4; i++) await place.seal(messages(3), dek)
})

const sources = () => ({ mapping: place.mapping, rotation: place.rotation })
const items = () => itemsInScope(sources(), { dekId }, place.clock.nowMs())
const plan = () => planReencryption(sources(), { dekId }, place.clock.nowMs())
const carryOut = (services: ReencryptionServices, over: Partial<JobSettings> = {}) =>
  reencryptAll(services, items(), {
    ...{ atOnce: 1, signal: job.signal, onDone: () => {} },
    ...over,
  })

describe('a job', () => {
  test('does what its plan says, and leaves the next one nothing', async () => {
    const bytes = place.segments.reduce((sum, segment) => sum + segment.bytes.length, 0)
    const nothing = {
      ...{ segments: 0, messages: 0, bytes: 0, done: 0, expired: 0, unpublished: 0 },
      ...{ domains: [], isComplete: true },
    }
    const domains = [{ keyDomain: 'orders', messages: 12, bytes }]
    const all = { deks: 1, segments: 4, messages: 12, bytes, domains }
    expect(await plan()).toEqual({ ...nothing, ...all })
    expect(await carryOut(place.services())).toMatchObject({ moved: 4, messages: 12, bytes })
    expect(await plan()).toEqual({ ...nothing, deks: 0, done: 4 })
  })

  test('counts what is not published, and leaves it alone', async () => {
    const key = { dekId, segmentId: 'e7a1c1b0-0000-4000-8000-000000000001' }
    await place.mapping.recordIntent({ ...key, objectKey: 'x', createdAtMs: 1 })
    expect(await plan()).toMatchObject({ segments: 4, unpublished: 1 })
    expect(await all(items())).toHaveLength(4)
  })

  test('takes all DEKs of before a time, each once', async () => {
    place.clock.advance(5_000)
    const madeBeforeMs = place.clock.nowMs()
    expect(await all(itemsInScope(sources(), { madeBeforeMs }, madeBeforeMs))).toHaveLength(4)
    const none = itemsInScope(sources(), { madeBeforeMs: 0 }, madeBeforeMs)
    expect(await all(none)).toEqual([])
  })

  test('takes what all that is named holds for', async () => {
    const other = await makeDek(place.kms, 'payments')
    await place.seal(messages(2), other)
    const [first] = place.segments
    const { createdAtMs, ...rest } = (await place.entries(dekId))[0] as SegmentEntry
    await place.mapping.recordPlaces({ ...rest, createdAtMs }, first?.rows as FrameColumns)
    const count = async (scope: ReencryptionScope) =>
      (await all(itemsInScope(sources(), scope, place.clock.nowMs()))).length
    const { topic, partition } = messages(1)[0] as Message
    expect(await count({ keyDomain: 'payments' })).toBe(1)
    expect(await count({ keyDomain: 'orders' })).toBe(4)
    expect(await count({ keyDomain: 'orders', madeBeforeMs: 0 })).toBe(0)
    expect(await count({ topic })).toBe(1)
    expect(await count({ topic, partition })).toBe(1)
    expect(await count({ topic, dekId: other.record.dekId })).toBe(0)
    expect(await count({ topic, madeBeforeMs: 0 })).toBe(0)
    await expect(count({ topic, partition: partition + 7 })).rejects.toMatchObject({
      code: 'SEAL_SOURCE_UNKNOWN',
    })
    await expect(count({ keyDomain: 'nobody' })).rejects.toMatchObject({ code: 'SEAL_KEY_UNKNOWN' })
  })

  test('says when look-ups may not know all of it', async () => {
    place.mapping.coversAll = false
    expect((await plan()).isComplete).toBe(true)
    const aged = await planReencryption(sources(), { madeBeforeMs: 1 }, 0)
    expect(aged.isComplete).toBe(false)
  })

  test('goes on behind a segment that cannot be re-encrypted, and names it', async () => {
    const damaged = place.segments[1]
    place.damage(damaged?.objectKey ?? '')
    const outcome = await carryOut(place.services())
    expect(outcome).toMatchObject({ moved: 3, isStopped: false })
    expect(outcome.failures).toMatchObject([
      { item: { objectKey: damaged?.objectKey }, error: { code: 'SEAL_OPEN_FAILED' } },
    ])
    expect(await plan()).toMatchObject({ segments: 1, done: 3 })
  })

  test('ends with what every other segment would meet too', async () => {
    const refused = new SealError('SEAL_STORE_REFUSED', 'grant s3:PutObject')
    place.store.failures.push(refused)
    await expect(carryOut(place.services())).rejects.toMatchObject({ code: 'SEAL_STORE_REFUSED' })
    expect(await plan()).toMatchObject({ segments: 4 })
  })

  test('waits for a store that does not answer', async () => {
    const away = new SealError('SEAL_STORE_UNAVAILABLE', 'away', { retryable: true })
    place.store.failures.push(away, away)
    expect(await carryOut(place.services())).toMatchObject({ moved: 4, failures: [] })
    expect(place.clock.slept.length).toBe(2)
    expect(await place.wrong()).toEqual([])
  })

  test('that is stopped ends behind the segment at hand, and the next one goes on', async () => {
    const stopped = await carryOut(place.services(), { onDone: () => job.abort() })
    expect(stopped).toMatchObject({ moved: 1, isStopped: true })
    expect(await place.wrong()).toEqual([])
    job = new AbortController()
    expect(await carryOut(place.services())).toMatchObject({ moved: 3, isStopped: false })
  })

  test('keeps to its budget', async () => {
    const bytes = place.segments.reduce((sum, segment) => sum + segment.bytes.length, 0)
    const pace = { perSecond: bytes / 10, burstMs: 1_000 }
    const budget = new PacedBudget(place.clock, pace, place.stop.signal)
    const startedAtMs = place.clock.elapsedMs()
    await carryOut(place.services(undefined, { budget }))
    const elapsedMs = place.clock.elapsedMs() - startedAtMs
    expect(elapsedMs).toBeGreaterThan(8_900)
    expect(elapsedMs).toBeLessThan(10_100)
  })
})
