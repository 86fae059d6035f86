import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { approvalDetails } from '../../../src/response/approval.ts'
import { timesOf } from '../../../src/response/incident.ts'
import { IncidentJournal } from '../../../src/response/incident-journal.ts'
import { INCIDENT_STEPS, type IncidentEvent, LEASE_MS } from '../../../src/response/incident-log.ts'
import { IncidentPlace, stepControl } from '../../support/incident-place.ts'

const BEFORE_APPROVAL = ['contain', 'assess', 'check', 'rewrap', 'reencrypt', 'prove']

let place: IncidentPlace
let id: string

beforeEach(async () => {
  place = new IncidentPlace()
  id = await place.declare()
})

async function approve(by = 'bob'): Promise<void> {
  const keeper = { actor: `${by}@ops-8`, runId: null }
  const journal = await IncidentJournal.open(place, id, keeper)
  const asked = { step: 'retire', by, privateKeyPem: null } as const
  const details = approvalDetails(journal.incident, asked, place.services.approvers)
  await journal.append({ kind: 'approved', step: 'retire', details })
}

/** As a process that dies: what it would write from now on does not come to be. */
class Killed extends Error {}

describe('the run of an incident', () => {
  it('goes through all steps in their order, waits for a second person, and ends', async () => {
    const first = await place.run(id)
    expect([first.kind, first.step]).toEqual(['awaiting', 'retire'])
    expect(first.reason).toContain(`incident approve ${id} --step retire`)
    expect(place.effects).toEqual(BEFORE_APPROVAL)
    expect((await place.run(id)).kind).toBe('awaiting')
    expect(
      (await place.kinds(id)).filter((kind) => kind.startsWith('approval-wanted')),
    ).toHaveLength(1)
    await approve()
    const last = await place.run(id)
    expect([last.kind, last.incident.closedAtMs !== null]).toEqual(['closed', true])
    expect(place.effects).toEqual([...BEFORE_APPROVAL, 'retire'])
    expect(await place.kinds(id)).toEqual([
      'declared',
      ...BEFORE_APPROVAL.flatMap((step) => [`step-began ${step}`, `step-done ${step}`]),
      ...['approval-wanted retire', 'approved retire'],
      ...['step-began retire', 'step-done retire', 'step-began report', 'step-done report'],
    ])
    // Once more changes nothing.
    expect((await place.run(id)).kind).toBe('closed')
    expect(place.effects).toHaveLength(7)
  })

  it('measures each step, and the way from the declaration', async () => {
    place.onEffect = () => place.clock.advance(1_000)
    const { incident } = await place.run(id)
    expect(timesOf(incident)).toEqual({ containMs: 1_000, knowMs: 2_000, cleanMs: 6_000 })
    expect(incident.steps.map(({ durationMs }) => durationMs)).toEqual([
      ...[1_000, 1_000, 1_000, 1_000, 1_000, 1_000],
      ...[null, null],
    ])
  })

  it('may be killed before and after every effect and every writing, and comes to its end', async () => {
    // How many moments there are is found out on the way: until a run is not killed any more.
    for (let moment = 0, kills = 1; kills > 0; moment++) {
      place = new IncidentPlace()
      id = await place.declare()
      kills = await goThroughKilledAt(moment)
      const { incident, kind } = await place.run(id)
      expect([kind, incident.steps.every(({ state }) => state === 'done')]).toEqual([
        'closed',
        true,
      ])
      const done = (await place.kinds(id)).filter((name) => name.startsWith('step-done'))
      expect(done).toEqual(INCIDENT_STEPS.map((step) => `step-done ${step}`))
      // Each effect once, but for the one that was not on record when the process died.
      expect(place.effects.length).toBeLessThanOrEqual(8)
      expect([...new Set(place.effects)]).toEqual([...BEFORE_APPROVAL, 'retire'])
    }
  })

  /** Runs until the approval and beyond, killed once at the moment; tells whether that was reached. */
  async function goThroughKilledAt(moment: number): Promise<number> {
    let left = moment
    let kills = 0
    const reach = () => {
      if (kills === 0 && left-- === 0) {
        kills++
        throw new Killed()
      }
    }
    const { log } = place
    const append = log.append.bind(log)
    log.append = async (event: IncidentEvent) => {
      if (event.runId !== null && event.kind.startsWith('step-')) {
        if (kills > 0 && event.kind === 'step-failed') throw new Killed()
        reach()
        const isPlaced = await append(event)
        reach()
        return isPlaced
      }
      return append(event)
    }
    place.onEffect = reach
    for (let tries = 0; tries < 4; tries++) {
      const end = await place.run(id).catch((error) => {
        if (!(error instanceof Killed)) throw error
        return null
      })
      if (end?.kind === 'awaiting') await approve()
      if (end?.kind === 'closed') break
    }
    return kills
  }

  it('begins with the rewrap again when the proof fails, and says so', async () => {
    const left = { kind: 'unproven', reason: '1 object', details: { dependentObjects: 1 } } as const
    place.endings.prove = [left]
    const first = await place.run(id)
    expect([first.kind, first.step, first.reason]).toEqual(['unproven', 'prove', '1 object'])
    await expect(approve()).rejects.toThrow('step rewrap comes before retire')
    expect((await place.run(id)).kind).toBe('awaiting')
    expect(place.effects).toEqual([...BEFORE_APPROVAL, 'rewrap', 'reencrypt', 'prove'])
  })

  it.each([
    ['contain', { kind: 'unanswered', reason: 'a is gone', details: {} }],
    ['rewrap', { kind: 'left', reason: '2 DEKs', details: {} }],
    ['reencrypt', { kind: 'stopped', details: {} }],
  ] as const)(
    'stops at %s when that does not come to its end, and goes on there',
    async (step, ending) => {
      place.endings[step] = [ending]
      const first = await place.run(id, ending.kind === 'stopped' ? stoppedAt(step) : {})
      expect([first.kind, first.step]).toEqual([ending.kind, step])
      const before = place.effects.length
      expect((await place.run(id)).kind).toBe('awaiting')
      expect(place.effects[before]).toBe(step)
    },
  )

  /** Whoever runs it asks it to stop in this step. */
  function stoppedAt(wanted: string) {
    const stop = new AbortController()
    place.onEffect = (step) => {
      if (step === wanted) stop.abort('SIGINT')
    }
    return { control: stepControl({ signal: stop.signal }) }
  }

  it('puts the failure of a step on record, and throws it', async () => {
    place.endings.assess = [new SealError('SEAL_MAPPING_REFUSED', 'no rights')]
    await expect(place.run(id)).rejects.toThrow('no rights')
    const events = await place.log.events(id)
    expect(events.at(-1)).toMatchObject({
      ...{ kind: 'step-failed', step: 'assess' },
      details: { code: 'SEAL_MAPPING_REFUSED', reason: 'no rights' },
    })
    expect((await place.run(id)).kind).toBe('awaiting')
  })

  it('proves once more when the approval came late, before the key is destroyed', async () => {
    await place.run(id)
    place.clock.advance(16 * 60_000)
    await approve()
    expect((await place.run(id)).kind).toBe('closed')
    expect(place.effects).toEqual([...BEFORE_APPROVAL, 'prove', 'retire'])
  })

  it('is made by one process at a time: another one waits for the lease, or names who has ended', async () => {
    place.onEffect = async (step) => {
      if (step !== 'assess') return
      place.onEffect = () => {}
      const other = await place.run(id).catch((error) => error)
      // By the clock of the test the first is silent by now: the second has done all there was to do.
      expect(other).toMatchObject({ kind: 'awaiting' })
    }
    await expect(place.run(id)).rejects.toMatchObject({ code: 'SEAL_INCIDENT_BUSY' })
    expect(place.said).toContain('process run/1 works on it, or did; waiting for its word')
    expect(place.clock.slept.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(LEASE_MS)
  })

  it('refuses when the lease is renewed all the time', async () => {
    const { lease } = place
    await lease.take(id, 'run/other')
    const take = lease.take.bind(lease)
    lease.take = async (incidentId, holder) => {
      await lease.renew(id, 'run/other')
      return take(incidentId, holder)
    }
    await expect(place.run(id)).rejects.toMatchObject({ code: 'SEAL_INCIDENT_BUSY' })
    expect(place.effects).toEqual([])
    await expect(place.run(id, { takeOver: 'run/somebody' })).rejects.toThrow('run/other')
    expect((await place.run(id, { takeOver: 'run/other' })).kind).toBe('awaiting')
  })

  it('of a drill waits for nobody', async () => {
    id = await place.declare({ kind: 'drill', keyDomain: 'canary' })
    expect((await place.run(id)).kind).toBe('closed')
  })

  it('is refused once it was withdrawn, and for an id that nobody knows', async () => {
    const journal = await IncidentJournal.open(place, id, { actor: 'a@b', runId: null })
    await journal.append({ kind: 'withdrawn', details: { reason: 'mistake' } })
    await expect(place.run(id)).rejects.toMatchObject({ code: 'SEAL_INPUT_INVALID' })
    await expect(place.run('nobody')).rejects.toMatchObject({ code: 'SEAL_INCIDENT_UNKNOWN' })
    expect(place.effects).toEqual([])
  })
})
