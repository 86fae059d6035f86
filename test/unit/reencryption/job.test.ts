import { beforeEach, describe, expect, test } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { type JobSettings, reencryptAll } from '../../../src/reencryption/job.ts'
import { itemsInScope, planReencryption } from '../../../src/reencryption/plan.ts'
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

const sources = () => ({ mapping: place.mapping, register: place.mapping })
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
    const nothing = { segments: 0, messages: 0, bytes: 0, done: 0, expired: 0, unpublished: 0 }
    expect(await plan()).toEqual({ ...nothing, deks: 1, segments: 4, messages: 12, bytes })
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

  test('goes on behind a segment that cannot be re-encrypted, and names it', async () => {
    const damaged = place.segments[1]
    place.store.objects.get(damaged?.objectKey ?? '')?.bytes.writeUInt8(0xff, 200)
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
    const { ByteBudget } = await import('../../../src/reencryption/byte-budget.ts')
    const bytes = place.segments.reduce((sum, segment) => sum + segment.bytes.length, 0)
    const budget = new ByteBudget(place.clock, bytes / 10, place.stop.signal)
    const startedAtMs = place.clock.elapsedMs()
    await carryOut(place.services(undefined, { budget }))
    const elapsedMs = place.clock.elapsedMs() - startedAtMs
    expect(elapsedMs).toBeGreaterThan(8_900)
    expect(elapsedMs).toBeLessThan(10_100)
  })
})
