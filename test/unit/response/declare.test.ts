import { describe, expect, it } from 'vitest'
import type { ImpactPage } from '../../../src/incident/impact.ts'
import { assess } from '../../../src/response/assess.ts'
import { type DeclarePorts, declare } from '../../../src/response/declare.ts'
import { incidentOf } from '../../../src/response/incident.ts'
import { planIncident } from '../../../src/response/incident-plan.ts'
import { openIncidentId } from '../../../src/response/open-incidents.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { declaration, IncidentPlace, stepControl } from '../../support/incident-place.ts'
import { MemoryKeyEventLog } from '../../support/memory-key-event-log.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'
import { NEW_KEK, RewrapPlace } from '../../support/rewrap-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'

const nothing: DeclarePorts['mapping'] = { async *deksOfKek() {} }

describe('a declaration', () => {
  it('is on record as it was made, and the one open incident needs no name', async () => {
    const place = new IncidentPlace()
    await expect(openIncidentId(place.log)).rejects.toThrow('no incident is open')
    const id = await place.declare({ kekVersion: '3', reason: 'heap dump' })
    expect(id).toMatch(/^2026-01-02-[0-9a-f]{6}$/)
    const { declaration: found } = incidentOf(id, await place.log.events(id))
    expect(found).toMatchObject({
      kekId: 'kek-old',
      kekVersion: '3',
      newKekId: 'kek-new',
      by: 'alice',
    })
    expect(await openIncidentId(place.log)).toBe(id)
    await place.declare()
    await expect(openIncidentId(place.log)).rejects.toThrow('several are open')
  })

  it('of a KEK that never wrapped anything here, or that replaces itself, is refused', async () => {
    const { log, clock } = new IncidentPlace()
    const ports = { log, clock, mapping: nothing }
    await expect(declare(ports, declaration())).rejects.toMatchObject({ code: 'SEAL_KEY_UNKNOWN' })
    const full = 'arn:aws:kms:eu-west-1:111122223333:key/kek-old'
    for (const newKekId of ['kek-old', full, ' ']) {
      await expect(declare(ports, declaration({ newKekId }))).rejects.toMatchObject({
        code: 'SEAL_INPUT_INVALID',
      })
    }
    await expect(declare(ports, declaration({ newKekId: null }))).rejects.toThrow(
      'name the new KEK',
    )
    expect(log.all).toEqual([])
  })
})

describe('the plan of an incident', () => {
  const prices = {
    ...{ kmsCallsPerSecond: 10, bytesPerSecond: Number.POSITIVE_INFINITY, segmentMs: 5_000 },
    ...{ usdPer10kKmsCalls: 0.03, windowMessagesMax: 1_000, windowBytesMax: 1e9 },
  }

  it('counts what there is to do, and goes by the pace of before or the limit', async () => {
    const place = new ReencryptionPlace()
    const keys = new RewrapPlace()
    await place.seal(messages(5))
    await place.seal(messages(3))
    const { mapping, rotation, clock } = place
    const incidents = new IncidentPlace()
    const rewrap = { ...keys.services(), mapping, register: mapping, targetOf: () => NEW_KEK }
    const ports = {
      ...{ impact: mapping, rewrap, reencrypt: { mapping, rotation }, clock },
      log: incidents.log,
    }
    const about = declaration({ kekId: KEK_ID, newKekId: NEW_KEK })
    const plan = await planIncident(ports, about, prices)
    expect(plan).toMatchObject({
      messages: 8,
      deks: 2,
      toRewrap: 2,
      toReencrypt: { segments: 2, messages: 8 },
    })
    // Three for each rewrap, one unwrap of each old DEK, one new one, three to check.
    expect(plan.kmsCalls).toBe(6 + 2 + 1 + 3)
    expect(plan.pace.from).toBe('assumed')
    const sum = Object.entries(plan.seconds).filter(([step]) => step !== 'total')
    expect(plan.seconds.total).toBeCloseTo(sum.reduce((all, [, seconds]) => all + seconds, 0))
    const limited = await planIncident(ports, about, { ...prices, bytesPerSecond: 1_000 })
    expect(limited.seconds.reencrypt).toBeCloseTo(plan.toReencrypt.bytes / 1_000)

    const bytes = 2 * 1024 ** 3
    incidents.endings.reencrypt = [{ kind: 'done', details: { bytes } }]
    incidents.onEffect = () => incidents.clock.advance(10_000)
    await incidents.run(await incidents.declare())
    const after = await planIncident(ports, about, prices)
    expect(after.pace).toEqual({ bytesPerSecond: bytes / 10, from: 'before' })
  })
})

describe('the assessment', () => {
  const about = declaration({ kekId: KEK_ID, newKekId: NEW_KEK })

  it('counts by topic, hands over every message, and notes each DEK as compromised once', async () => {
    const place = new ReencryptionPlace()
    const events = new MemoryKeyEventLog()
    await place.seal(messages(5))
    const other = await place.seal(messages(3, { topic: 'payments' }))
    let listed = 0
    const takePage = async ({ frames }: ImpactPage) => {
      listed += frames.count
    }
    for (let turn = 0; turn < 2; turn++) {
      const ending = await assess(
        { reader: place.mapping, events },
        about,
        stepControl({ takePage }),
      )
      expect(ending).toMatchObject({
        kind: 'done',
        details: {
          messages: 8,
          deks: 2,
          topicCount: 2,
          topics: [{ messages: 5 }, { topic: 'payments', messages: 3 }],
        },
      })
    }
    expect(listed).toBe(16)
    const noted = await all(events.eventsOf(other.dekId))
    expect(noted).toMatchObject([
      { kind: 'compromised', reason: 'incident 2026-01-02-aaaaaa: leaked' },
    ])
  })

  it('of a drill compromises nothing', async () => {
    const place = new ReencryptionPlace()
    const events = new MemoryKeyEventLog()
    const entry = await place.seal(messages(2))
    await assess({ reader: place.mapping, events }, { ...about, kind: 'drill' }, stepControl())
    expect(await all(events.eventsOf(entry.dekId))).toEqual([])
  })
})
