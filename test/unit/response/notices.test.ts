import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { INCIDENT_STEPS } from '../../../src/response/incident-log.ts'
import {
  NOTICES,
  type Notice,
  type NoticeBody,
  type NoticeHook,
} from '../../../src/response/notices.ts'
import { IncidentPlace } from '../../support/incident-place.ts'

let place: IncidentPlace
let told: NoticeBody[]

/** A hook that answers with these failures first. */
function hook(name: string, changes: Partial<NoticeHook> = {}, failures: Error[] = []): NoticeHook {
  return {
    ...{ name, notices: new Set<Notice>(NOTICES), isForDrills: false },
    async send(body) {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      told.push(body)
    },
    ...changes,
  }
}

const down = () => new SealError('SEAL_NOTICE_FAILED', 'it answered 500, 3 times')
const names = () => told.map(({ notice }) => notice)

beforeEach(() => {
  place = new IncidentPlace()
  told = []
})

describe('whoever is told of an incident', () => {
  it('hears of every step, of failures and of the approval that is missing, once each', async () => {
    place.services = { ...place.services, hooks: [hook('a')] }
    place.endings.check = [new SealError('SEAL_KMS_DENIED', 'no rights')]
    const id = await place.declare()
    await expect(place.run(id)).rejects.toThrow('no rights')
    await place.run(id)
    const steps = INCIDENT_STEPS.slice(0, 6).filter(
      (step) => step !== 'contain' && step !== 'assess',
    )
    expect(names().toSorted()).toEqual(
      ['declared', 'contain', 'assess', 'failed', ...steps, 'approval-wanted'].toSorted(),
    )
    expect(told[0]).toMatchObject({ v: 1, incidentId: id, kind: 'incident', kek: 'kek-old' })
    const events = await place.log.events(id)
    expect(events.filter(({ kind }) => kind === 'notified')).toHaveLength(told.length)
  })

  it('hears only what they want, and of drills only when they want those', async () => {
    const some = hook('a', { notices: new Set<Notice>(['prove']) })
    place.services = { ...place.services, hooks: [some] }
    await place.run(await place.declare())
    expect(names()).toEqual(['prove'])
    await place.run(await place.declare({ kind: 'drill' }))
    expect(names()).toEqual(['prove'])
    place.services = { ...place.services, hooks: [{ ...some, isForDrills: true }] }
    await place.run(await place.declare({ kind: 'drill' }))
    expect(names()).toEqual(['prove', 'prove'])
  })

  it('never stops the run: what could not be told is said and put on record, and not told again', async () => {
    const failures = Array.from({ length: 50 }, down)
    place.services = { ...place.services, hooks: [hook('away', {}, failures), hook('here')] }
    const id = await place.declare()
    expect((await place.run(id)).kind).toBe('awaiting')
    const failed = (await place.log.events(id)).filter(({ kind }) => kind === 'notice-failed')
    expect(failed.map(({ details }) => details.hook)).toEqual(failed.map(() => 'away'))
    expect(failed.length).toBe(told.length)
    expect(place.said.join()).toContain('away was not told of "declared": it answered 500, 3 times')
    const before = failures.length
    await place.run(id)
    expect(failures.length).toBe(before)
  })

  it('is told by the next process what one that died had not told', async () => {
    const hooks = [hook('a')]
    const id = await place.declare()
    await place.run(id)
    expect(told).toEqual([])
    place.services = { ...place.services, hooks }
    await place.run(id)
    expect(names()).toContain('declared')
    expect(new Set(told.map(({ sequence }) => sequence)).size).toBe(told.length)
  })
})
