import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { ANNOUNCED_MS, type InstanceKeys } from '../../../src/keys/key-desk.ts'
import {
  type InstanceReport,
  newRequest,
  type RotationReport,
  rotateEverywhere,
  unconfirmed,
} from '../../../src/keys/rotation.ts'
import type { RetiredKey } from '../../../src/keys/running-keys.ts'
import { announced } from '../../contracts/key-desk.contract.ts'
import { away } from '../../support/lane-place.ts'
import { MemoryKeyDesk } from '../../support/memory-key-desk.ts'
import { SteppedClock } from '../../support/stepped-clock.ts'

const TIMEOUT_MS = 60_000
const RETIRED: RetiredKey = {
  ...{ dekId: '5ea15eed-0000-4000-8000-0000000000d1', keyDomain: 'orders' },
  ...{ firstUsedAtMs: 1, lastUsedAtMs: 2, messages: 3, bytes: 30 },
}

let clock: SteppedClock
let desk: MemoryKeyDesk
let changes: string[]
let stop: AbortController
let dead: Set<string>
let [a, b]: InstanceKeys[] = []

beforeEach(async () => {
  clock = new SteppedClock()
  desk = new MemoryKeyDesk(clock)
  changes = []
  stop = new AbortController()
  dead = new Set()
  a = announced({ instanceId: 'a/1/00000000' })
  b = announced({ instanceId: 'b/2/00000000' })
  await desk.announce(a)
  await desk.announce(b)
})

/** A rotation under way, and what it came to. */
function begin() {
  const scope = { dekId: null, keyDomain: null }
  const request = newRequest({ actor: 'alice@ops-7', reason: 'drill', scope }, clock.nowMs())
  const outcome: { report: RotationReport | null; error: unknown } = { report: null, error: null }
  const onChange = ({ instanceId, standing }: InstanceReport) =>
    void changes.push(`${instanceId[0]} ${standing}`)
  const wait = { timeoutMs: TIMEOUT_MS, signal: stop.signal, dead, onChange }
  rotateEverywhere({ office: desk, clock }, request, wait).then(
    (report) => {
      outcome.report = report
    },
    (error: unknown) => {
      outcome.error = error
    },
  )
  const answer = ({ instanceId }: InstanceKeys, isFinished: boolean) =>
    desk.answer({
      ...{ requestId: request.requestId, instanceId, acceptedAtMs: 1 },
      ...{
        finishedAtMs: isFinished ? 2 : null,
        retired: isFinished ? [RETIRED] : [],
        refusal: null,
      },
    })
  const standings = () => outcome.report?.instances.map(({ standing }) => standing) ?? null
  return { request, outcome, answer, standings }
}

const speak = (...instances: (InstanceKeys | undefined)[]) =>
  Promise.all(instances.map((one) => desk.announce(one as InstanceKeys)))

describe('a rotation', () => {
  it('waits for every instance, tells of each step, and reports what was retired', async () => {
    const { answer, outcome, standings } = begin()
    await clock.step(1_000)
    await answer(a as InstanceKeys, false)
    await clock.step(1_000)
    await answer(b as InstanceKeys, true)
    await clock.step(1_000)
    expect(standings()).toBeNull()
    await answer(a as InstanceKeys, true)
    await clock.step(1_000)
    expect(standings()).toEqual(['retired', 'retired'])
    expect(changes).toEqual(['a waiting', 'b waiting', 'a closing', 'b retired', 'a retired'])
    expect(outcome.report?.instances[0]?.retired).toEqual([RETIRED])
    expect(unconfirmed(outcome.report as RotationReport)).toEqual([])
  })

  it('names an instance that refuses, with its reason, and does not wait for it', async () => {
    const { request, answer, outcome, standings } = begin()
    await answer(a as InstanceKeys, true)
    await desk.answer({
      ...{ requestId: request.requestId, instanceId: b?.instanceId as string, acceptedAtMs: 1 },
      ...{ finishedAtMs: null, retired: [], refusal: 'no such key' },
    })
    await clock.step(1_000)
    expect(standings()).toEqual(['retired', 'refused'])
    const open = unconfirmed(outcome.report as RotationReport)
    expect(open).toMatchObject([{ instanceId: b?.instanceId, refusal: 'no such key' }])
  })

  it('does not wait for an instance that dies, and does not count it as done', async () => {
    const { answer, outcome, standings } = begin()
    await clock.step(1_000)
    await answer(a as InstanceKeys, true)
    await clock.step(ANNOUNCED_MS / 2)
    await speak(a)
    await clock.step(ANNOUNCED_MS / 2)
    expect(standings()).toEqual(['retired', 'gone'])
    expect(unconfirmed(outcome.report as RotationReport).map((one) => one.instanceId)).toEqual([
      b?.instanceId,
    ])
  })

  it('names an instance that had fallen silent before it was asked: it may only be cut off', async () => {
    await clock.step(ANNOUNCED_MS)
    await speak(a)
    const { answer, outcome, standings } = begin()
    await answer(a as InstanceKeys, true)
    await clock.step(1_000)
    expect(standings()).toEqual(['retired', 'gone'])
    expect(unconfirmed(outcome.report as RotationReport)).toHaveLength(1)
  })

  it('takes the word of the operator for one that is gone, and for no other', async () => {
    dead = new Set([a, b].map((one) => one?.instanceId as string))
    await clock.step(ANNOUNCED_MS)
    await speak(a)
    const { answer, outcome, standings } = begin()
    await clock.step(1_000)
    expect(standings()).toBeNull()
    await answer(a as InstanceKeys, true)
    await clock.step(1_000)
    expect(standings()).toEqual(['retired', 'dead'])
    expect(unconfirmed(outcome.report as RotationReport)).toEqual([])
  })

  it('takes an instance that stops in good order as done, but not one that had stopped before', async () => {
    await speak({ ...(b as InstanceKeys), state: 'stopped' })
    const { standings } = begin()
    await clock.step(1_000)
    await speak({ ...(a as InstanceKeys), state: 'stopped' })
    await clock.step(1_000)
    expect(standings()).toEqual(['stopped'])
  })

  it('waits for one that comes back or starts meanwhile', async () => {
    const { answer, standings } = begin()
    await clock.step(1_000)
    const late = announced({ instanceId: 'c/3/00000000' })
    await speak(late)
    await answer(a as InstanceKeys, true)
    await answer(b as InstanceKeys, true)
    await clock.step(1_000)
    expect(standings()).toBeNull()
    await answer(late, true)
    await clock.step(1_000)
    expect(standings()).toEqual(['retired', 'retired', 'retired'])
  })

  it('ends at its time limit and names who has not finished', async () => {
    const { answer, standings } = begin()
    await answer(a as InstanceKeys, false)
    for (let ms = 0; ms < TIMEOUT_MS; ms += 5_000) {
      expect(standings()).toBeNull()
      await speak(a, b)
      await clock.step(5_000)
    }
    await clock.step(1_000)
    expect(standings()).toEqual(['closing', 'waiting'])
  })

  it('ends when it is interrupted, and the request remains', async () => {
    const { request, standings } = begin()
    await clock.step(1_000)
    stop.abort()
    await clock.step(1_000)
    expect(standings()).toEqual(['waiting', 'waiting'])
    expect(await desk.requestIds()).toEqual([request.requestId])
  })

  it('gets over an outage while it waits', async () => {
    const { answer, standings } = begin()
    await clock.step(1_000)
    const { instances } = desk
    desk.instances = () => Promise.reject(away('SEAL_MAPPING_UNAVAILABLE'))
    await answer(a as InstanceKeys, true)
    await answer(b as InstanceKeys, true)
    await clock.step(10_000)
    expect(standings()).toBeNull()
    desk.instances = instances
    await clock.step(1_000)
    expect(standings()).toEqual(['retired', 'retired'])
  })

  it.each([true, false])('fails when the desk refuses (its placing: %s)', async (isPlacing) => {
    const refused = new SealError('SEAL_MAPPING_REFUSED', 'no rights')
    const refuse = () => Promise.reject(refused)
    if (isPlacing) desk.place = refuse
    else desk.answers = refuse
    const { outcome } = begin()
    await clock.step(1_000)
    expect(outcome.error).toBe(refused)
  })
})
