import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/format/message.ts'
import { domainOfBy } from '../../../src/keys/key-domain.ts'
import type { LaneSession } from '../../../src/pipeline/lane-session.ts'
import { batch, LanePlace, type LanePlaceOptions, quiet, range } from '../../support/lane-place.ts'
import { message } from '../../support/messages.ts'

const rule = (fallback: string | null) => ({ by: 'header', header: 'tenant', fallback }) as const

/** A place whose messages share DEKs by the header `tenant`. */
function placeWith(options: LanePlaceOptions = {}, fallback: string | null = null): LanePlace {
  const keyDomain = rule(fallback)
  const settings = { keyDomain, domainOf: domainOfBy(keyDomain), ...options.settings }
  return new LanePlace({ ...options, settings })
}

/** Messages of one partition, one for each tenant in turn; null is one without the header. */
function ofTenants(tenants: readonly (string | null)[], over: Partial<Message> = {}): Message[] {
  return tenants.map((tenant, offset) =>
    message({
      ...{ offset, value: Buffer.from(`${over.partition ?? 0}/${offset}`) },
      headers: tenant === null ? [] : [[Buffer.from('tenant'), Buffer.from(tenant)]],
      ...over,
    }),
  )
}

function accept(session: LaneSession, messages: readonly Message[]): Promise<boolean> {
  const { topic, partition } = messages[0] as Message
  const whole = { topic, partition, messages, nextOffset: messages.length }
  return session.accept(batch(0, 0, whole), quiet)
}

/** DEKs of the mapping, by the domain that each was made for. */
async function domainByDek(place: LanePlace): Promise<Map<string, string>> {
  const domains = new Map<string, string>()
  for (const dekId of place.messagesByDek().keys()) {
    domains.set(dekId, (await place.mapping.findDek(dekId))?.keyDomain ?? 'unknown')
  }
  return domains
}

describe('key domains by header', () => {
  it('keep the order of a partition though its messages go to different segments', async () => {
    const place = placeWith()
    const session = await place.session(0)
    await accept(session, ofTenants(['a', 'b', 'a', 'c', 'b', 'a', 'a']))
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 7))
    expect(place.sink.commits()).toEqual([7])
    const objects = place.sink.references('orders', 0).map(({ object }) => object)
    expect([0, 2, 5, 6].map((i) => objects[i])).toEqual(new Array(4).fill(objects[0]))
    expect(new Set(objects).size).toBe(3)
    expect([...(await domainByDek(place)).values()].toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('are shared by the partitions and topics of a lane', async () => {
    const place = placeWith()
    const session = await place.session(0, 0)
    await accept(session, ofTenants(['a', 'b']))
    await accept(session, ofTenants(['b', 'a', 'a'], { partition: 1 }))
    await session.drain()
    expect(place.runner.tasks.map(({ frameCount }) => frameCount).toSorted()).toEqual([2, 3])
    expect(place.sink.offsets('orders', 1)).toEqual([0, 1, 2])
    expect([place.sink.commits('orders', 0), place.sink.commits('orders', 1)]).toEqual([[2], [3]])
  })

  it('have no more segments open than are allowed', async () => {
    const place = placeWith({ settings: { openSegmentsMax: 3 } })
    const session = await place.session(0)
    await accept(session, ofTenants(range(0, 10).map(String)))
    await place.clock.step(0)
    expect(place.runner.tasks).toHaveLength(9)
    await session.drain()
    expect(place.runner.tasks).toHaveLength(10)
    expect(place.sink.offsets()).toEqual(range(0, 10))
  })

  it('open nothing while too many segments wait to be published, and go on when those are', async () => {
    const place = placeWith({ settings: { openSegmentsMax: 10 } })
    const session = await place.session(0)
    place.runner.gate.close()
    const accepted = accept(session, ofTenants(range(0, 200).map(String)))
    await place.clock.step(20_000)
    // 64 and more are closed; the group that is open at that moment is not closed for its age yet.
    expect(place.runner.tasks).toHaveLength(70)
    place.runner.gate.open()
    await accepted
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 200))
  })

  it('grow instead of being closed for their age while many segments wait to be published', async () => {
    const place = placeWith()
    const session = await place.session(0)
    const twenty = range(0, 20).map(String)
    const tasksAfter = async (rounds: number, tenants: readonly string[]) => {
      const all = Array.from({ length: rounds + 1 }, () => tenants).flat()
      await accept(session, ofTenants(all))
      await place.clock.step(11_000)
      return place.runner.tasks.length
    }
    expect(await tasksAfter(0, twenty)).toBe(20)
    place.runner.gate.close()
    expect(await tasksAfter(1, twenty)).toBe(40)
    expect(await tasksAfter(2, twenty)).toBe(40)
    place.runner.gate.open()
    await place.clock.step(0)
    expect(place.runner.tasks).toHaveLength(60)
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 60))
  })

  it('are closed in time to be published, however many segments wait', async () => {
    const place = placeWith()
    const session = await place.session(0)
    place.runner.gate.close()
    const twenty = range(0, 20).map(String)
    await accept(session, ofTenants(twenty))
    await place.clock.step(11_000)
    await accept(session, ofTenants([...twenty, ...twenty]))
    await place.clock.step(28_000)
    expect(place.runner.tasks).toHaveLength(20)
    // Half of the minute in which a segment is published or never.
    await place.clock.step(4_000)
    expect(place.runner.tasks).toHaveLength(40)
    place.runner.gate.open()
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 40))
  })

  it('are closed for their age all the same while few segments wait', async () => {
    const place = placeWith()
    const session = await place.session(0)
    place.runner.gate.close()
    for (let round = 1; round <= 3; round++) {
      await accept(
        session,
        ofTenants(Array.from({ length: round }, () => ['a', 'b', 'c', 'd']).flat()),
      )
      await place.clock.step(11_000)
      expect(place.runner.tasks).toHaveLength(round * 4)
    }
    place.runner.gate.open()
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 12))
  })

  it('get their DEKs side by side', async () => {
    const place = placeWith()
    place.keyGate.close()
    const session = await place.session(0)
    const accepted = accept(session, ofTenants(['a', 'b', 'c', 'd', 'a']))
    await place.clock.step(0)
    for (let i = 0; i < 4; i++) place.keyGate.passOne()
    await place.clock.step(0)
    expect(place.kms.calls.generate).toBe(4)
    place.keyGate.open()
    await accepted
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 5))
  })

  it('fall back where the header is missing', async () => {
    const place = placeWith({}, 'nobody')
    const session = await place.session(0)
    await accept(session, ofTenants(['a', null, 'a', null]))
    await session.drain()
    expect([...(await domainByDek(place)).values()].toSorted()).toEqual(['a', 'nobody'])
    expect(place.sink.offsets()).toEqual(range(0, 4))
  })

  it('set aside in its place a message that has none', async () => {
    const place = placeWith({ settings: { onUnsealable: 'quarantine' } })
    const session = await place.session(0)
    await accept(session, ofTenants([null, 'a', null, 'b']))
    await session.drain()
    expect(place.sink.offsets()).toEqual([1, 3])
    const notes = place.sink.references('orders', 0, '.quarantine')
    expect(notes.map(({ offset }) => offset)).toEqual([0, 2])
    expect(notes[0]?.reason).toBe('no key domain: header "tenant" is missing or null')
    expect(place.sink.commits()).toEqual([4])
  })

  it('stop the partition at a message that has none, unless told otherwise', async () => {
    const place = placeWith()
    const session = await place.session(0)
    expect(await accept(session, ofTenants(['a', null, 'b']))).toBe(false)
    await session.drain()
    expect(place.sink.offsets()).toEqual([0])
    expect(place.sink.commits()).toEqual([1])
    expect(place.observer.of('partitionStopped')).toHaveLength(1)
  })

  it('close together when one window was ended from outside, and nothing is published out of order', async () => {
    const place = placeWith()
    const session = await place.session(0)
    const messages = ofTenants(['a', 'b', 'a', 'b'])
    await session.accept(batch(0, 2, { messages: messages.slice(0, 2) }), quiet)
    const rotated = place.windows.rotate({ dekId: null, keyDomain: 'a' }, 'leak')
    session.rollEnded()
    await place.clock.step(0)
    expect((await rotated).map(({ keyDomain }) => keyDomain)).toEqual(['a'])
    await session.accept(batch(2, 4, { messages: messages.slice(2) }), quiet)
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 4))
    expect([...(await domainByDek(place)).values()].toSorted()).toEqual(['a', 'a', 'b'])
  })

  it('lose nothing, keep every order and cross no limit, whatever comes in', async () => {
    const tenants = fc.array(fc.constantFrom('a', 'b', 'c', 'd', null), {
      ...{ minLength: 1, maxLength: 40 },
    })
    const limits = fc.record({
      segmentMessagesMax: fc.integer({ min: 1, max: 6 }),
      windowMessagesMax: fc.integer({ min: 1, max: 9 }),
      openSegmentsMax: fc.integer({ min: 1, max: 5 }),
      inFlightBytesMax: fc.constantFrom(3_000, 64 * 1024 * 1024),
    })
    const check = async (
      partitions: readonly (readonly (string | null)[])[],
      limit: typeof limits extends fc.Arbitrary<infer T> ? T : never,
    ) => {
      const place = placeWith({
        settings: { onUnsealable: 'quarantine', openSegmentsMax: limit.openSegmentsMax },
        segment: { messagesMax: limit.segmentMessagesMax },
        window: { messagesMax: limit.windowMessagesMax, outageFactor: 1 },
        inFlightBytesMax: limit.inFlightBytesMax,
      })
      const session = await place.session(...partitions.map(() => 0))
      const accepted = await Promise.all(
        partitions.map((of, partition) => accept(session, ofTenants(of, { partition }))),
      )
      expect(accepted).toEqual(partitions.map(() => true))
      await session.drain()
      for (const [partition, of] of partitions.entries()) {
        const sealed = [...of.keys()].filter((i) => of[i] !== null)
        expect(place.sink.offsets('orders', partition)).toEqual(sealed)
        expect(place.sink.commits('orders', partition).at(-1)).toBe(of.length)
      }
      const domains = await domainByDek(place)
      for (const [dekId, count] of place.messagesByDek()) {
        expect(count).toBeLessThanOrEqual(limit.windowMessagesMax)
        expect(domains.get(dekId)).toMatch(/^[abcd]$/)
      }
      expect(place.budget.bytes).toBe(0)
    }
    const partitions = fc.array(tenants, { minLength: 1, maxLength: 3 })
    await fc.assert(fc.asyncProperty(partitions, limits, check), { numRuns: 200 })
  })
})
