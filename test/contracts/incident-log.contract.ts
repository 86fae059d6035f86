import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { IncidentEvent, IncidentLease, IncidentLog } from '../../src/response/incident-log.ts'

/** An event of an incident. */
export function incidentEvent(changes: Partial<IncidentEvent> = {}): IncidentEvent {
  return {
    ...{ incidentId: `i-${randomUUID()}`, sequence: 1, eventId: randomUUID() },
    ...{ atMs: Date.UTC(2026, 2, 4, 23, 59, 59, 500), actor: 'alice@ops-7', runId: null },
    ...{ kind: 'declared', step: null, details: { reason: 'leaked', list: [1, null, 'a'] } },
    ...changes,
  }
}

/** What every log of incidents keeps to. `log` is called inside the tests. */
export function incidentLogContract(log: () => IncidentLog): void {
  test('events are found as they were given, in their order, and the newest incident first', async () => {
    const atMs = Date.UTC(2090, 0, 1)
    const first = incidentEvent({ atMs })
    const { incidentId } = first
    await log().declare(first)
    const more = [
      incidentEvent({ incidentId, sequence: 2, kind: 'step-began', step: 'contain', runId: 'r/1' }),
      // A clock that went back decides nothing.
      incidentEvent({ incidentId, sequence: 3, kind: 'step-done', step: 'contain', atMs: 0 }),
    ]
    for (const event of more) expect(await log().append(event)).toBe(true)
    expect(await log().events(incidentId)).toEqual([first, ...more])
    expect(await log().events('nobody')).toEqual([])
    const later = incidentEvent({ atMs: atMs + 1 })
    await log().declare(later)
    expect(await log().ids(2)).toEqual([later.incidentId, incidentId])
    expect(await log().ids(1)).toEqual([later.incidentId])
  })

  test('an event that is given twice stands once, and a place is taken once', async () => {
    const first = incidentEvent()
    const { incidentId } = first
    await log().declare(first)
    await log().declare(first)
    const second = incidentEvent({ incidentId, sequence: 2, kind: 'withdrawn' })
    expect([await log().append(second), await log().append(second)]).toEqual([true, true])
    const rival = incidentEvent({ incidentId, sequence: 2, kind: 'approved' })
    expect(await log().append(rival)).toBe(false)
    expect(await log().events(incidentId)).toEqual([first, second])
  })

  test('of several that want one place at the same moment, one gets it', async () => {
    const first = incidentEvent()
    const { incidentId } = first
    await log().declare(first)
    const rivals = Array.from({ length: 5 }, () => incidentEvent({ incidentId, sequence: 2 }))
    const taken = await Promise.all(rivals.map((event) => log().append(event)))
    expect(taken.filter((isTaken) => isTaken)).toHaveLength(1)
    expect((await log().events(incidentId))[1]).toEqual(rivals[taken.indexOf(true)])
  })
}

/** What every lease keeps to. */
export function incidentLeaseContract(lease: () => IncidentLease): void {
  test('a lease has one holder, who may have it again, and can be taken from it by name alone', async () => {
    const id = randomUUID()
    expect(await lease().take(id, 'a')).toBeNull()
    expect(await lease().take(id, 'a')).toBeNull()
    expect(await lease().take(id, 'b')).toBe('a')
    expect([await lease().renew(id, 'a'), await lease().renew(id, 'b')]).toEqual([true, false])
    expect(await lease().takeOver(id, 'c', 'b')).toBe(false)
    expect(await lease().takeOver(id, 'a', 'b')).toBe(true)
    expect([await lease().renew(id, 'a'), await lease().take(id, 'a')]).toEqual([false, 'b'])
    await lease().release(id, 'a')
    expect(await lease().take(id, 'a')).toBe('b')
    await lease().release(id, 'b')
    expect(await lease().take(id, 'a')).toBeNull()
  })
}
