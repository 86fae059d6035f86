import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import type { Reference } from '../../../src/format/reference-value.ts'
import type { CanaryTopic } from '../../../src/response/canary.ts'
import { type DrillPorts, type DrillSettings, drill } from '../../../src/response/drill.ts'
import { IncidentWatch } from '../../../src/response/incident-standing.ts'
import { IncidentPlace } from '../../support/incident-place.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'

const DAY_MS = 86_400_000
let place: IncidentPlace
let orders: MemoryKekOrders
let topic: MemoryCanary
let domainOfDeks: string
let ports: DrillPorts
let settings: DrillSettings

/** A canary whose messages are sealed at once, unless it is told otherwise. */
class MemoryCanary implements CanaryTopic {
  values: readonly Uint8Array[] = []
  openable: readonly string[] = []
  sealed = Number.POSITIVE_INFINITY
  failures: Error[] = []
  allowed: (readonly string[])[] = []

  async produce(values: readonly Uint8Array[]) {
    this.values = values
    return values.map((_, offset) => ({ topic: 'canary', partition: 0, offset }))
  }

  async references(messages: Awaited<ReturnType<CanaryTopic['produce']>>) {
    return messages
      .slice(0, this.sealed)
      .map((message) => ({ ...message, object: 'o', position: 0, length: 1 }))
  }

  async open(references: readonly Reference[], kekIds: readonly string[]) {
    // As one that waits for a store does.
    await new Promise((resolve) => setImmediate(resolve))
    this.allowed.push(kekIds)
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    return references.map(({ offset }) => ({ value: this.values[offset] }) as Message)
  }

  async openedBy() {
    return this.openable
  }
}

beforeEach(() => {
  place = new IncidentPlace()
  orders = new MemoryKekOrders()
  topic = new MemoryCanary()
  domainOfDeks = 'canary'
  const mapping = {
    async *deksOfKek(kekId: string) {
      yield { dekId: 'd', keyDomain: domainOfDeks, kekId, kekVersion: null, createdAtMs: 0 }
    },
  }
  const { log, clock } = place
  ports = {
    ...{ log, clock, orders, mapping, topic, onPhase: () => {} },
    configured: { keyId: 'kek-main', byDomain: new Map([['canary', 'kek-a']]) },
    run: (incidentId) => place.run(incidentId),
  }
  settings = {
    ...{ keyDomain: 'canary', keks: ['kek-a', 'kek-b'], messages: 30, messageBytes: 20 },
    ...{ sealedWithinMs: 1_000, actor: 'cron@ops', signal: new AbortController().signal },
  }
})

const standing = () => new IncidentWatch(place.log, place.clock, DAY_MS).look()

describe('a drill', () => {
  it('passes when every step is done, every reading is right and the old KEK opens nothing', async () => {
    const report = await drill(ports, settings)
    expect(report).toMatchObject({ isPassed: true, reason: null, openedByOldKek: 0 })
    expect(report.readings).toMatchObject({ failed: 0, wrong: 0 })
    expect(report.readings.read).toBeGreaterThanOrEqual(30)
    // The last reading is by the new KEK alone.
    expect(topic.allowed.at(-1)).toEqual(['kek-b'])
    const kinds = await place.kinds(report.incidentId)
    expect([kinds[0], kinds.at(-1)]).toEqual(['declared', 'drilled'])
    const [declared] = await place.log.events(report.incidentId)
    expect(declared?.details).toMatchObject({
      kind: 'drill',
      kekId: 'kek-a',
      newKekId: 'kek-b',
      keyDomain: 'canary',
    })
    expect(await standing()).toMatchObject({ isDrillOverdue: false, openIncidents: 0 })
    place.clock.advance(DAY_MS + 1)
    expect(await standing()).toMatchObject({ isDrillOverdue: true })
  })

  it.each([
    ['a reading fails', () => void topic.failures.push(new Error('no')), '1 readings failed'],
    [
      'the old KEK opens an object',
      () => Object.assign(topic, { openable: ['o'] }),
      'the old KEK opens 1 objects',
    ],
    ['nobody seals', () => Object.assign(topic, { sealed: 29 }), '29 of 30 canary messages'],
    [
      'a step does not come to its end',
      () =>
        Object.assign(place.endings, {
          contain: [{ kind: 'unanswered', reason: 'a is gone', details: {} }],
        }),
      'it ended unanswered at contain: a is gone',
    ],
    [
      'a step fails',
      () =>
        Object.assign(place.endings, { rewrap: [new SealError('SEAL_KMS_DENIED', 'no rights')] }),
      'no rights',
    ],
  ])('does not pass when %s, and stands on record', async (_, spoil, reason) => {
    spoil()
    const report = await drill(ports, settings)
    expect(report.isPassed).toBe(false)
    expect(report.reason).toContain(reason)
    const now = await standing()
    expect([now.lastPassedDrill, now.isDrillOverdue]).toEqual([null, true])
    expect(now.lastFailedDrillAtMs).not.toBeNull()
  })

  it('finishes one that was interrupted before it begins', async () => {
    place.endings.rewrap = [new SealError('SEAL_KMS_UNAVAILABLE', 'away')]
    const first = await drill(ports, settings)
    const second = await drill(ports, settings)
    expect([first.isPassed, second.isPassed]).toEqual([false, true])
    expect(await place.kinds(first.incidentId)).toContain('step-done report')
  })

  it('is refused when a KEK of the canary protects anything else, before anything is done', async () => {
    domainOfDeks = 'orders'
    const refused = { code: 'SEAL_INPUT_INVALID', message: expect.stringContaining('of its own') }
    await expect(drill(ports, settings)).rejects.toMatchObject(refused)
    domainOfDeks = 'canary'
    ports = { ...ports, configured: { ...ports.configured, keyId: 'kek-b' } }
    await expect(drill(ports, settings)).rejects.toMatchObject(refused)
    expect([topic.values, place.log.all]).toEqual([[], []])
  })
})
