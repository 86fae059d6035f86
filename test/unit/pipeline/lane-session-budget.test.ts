import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { BUDGET_BYTES, batch, chargeOf, LanePlace, quiet, range } from '../../support/lane-place.ts'
import { message } from '../../support/messages.ts'
import { settled } from '../../support/stepped-clock.ts'

const chargeOfBatch = (from: number, to: number) =>
  batch(from, to).messages.reduce((sum, one) => sum + chargeOf(one), 0)

const MIB = 1024 * 1024

/** A batch of messages with values of `bytes`. */
function sized(from: number, to: number, bytes: number) {
  const some = batch(from, to)
  const messages = some.messages.map((one) => message({ ...one, value: Buffer.alloc(bytes) }))
  return { ...some, messages }
}

describe('the in-flight budget of a session', () => {
  it('is charged for messages until they are stored, and for references until they are published', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(sized(0, 4, 3_000), quiet)
    expect(place.budget.bytes).toBeGreaterThan(4 * 3_000)
    place.runner.gate.close()
    place.sink.publishGate.close()
    const drained = session.drain()
    await settled()
    expect(place.budget.bytes).toBeGreaterThan(4 * 3_000)
    place.runner.gate.open()
    await settled()
    expect(place.budget.bytes).toBeGreaterThan(4 * 100)
    expect(place.budget.bytes).toBeLessThan(3_000)
    place.sink.publishGate.open()
    await drained
    expect(place.budget.bytes).toBe(0)
  })

  it('is given back part by part, and no segment is closed early while parts are under way', async () => {
    const place = new LanePlace({
      inFlightBytesMax: 8 * MIB,
      segment: { bytesMax: 64 * MIB, partBytesMax: 5 * MIB },
    })
    const session = await place.session(0)
    expect(await session.accept(sized(0, 24, MIB), quiet)).toBe(true)
    expect(place.sink.publishCalls).toBe(0)
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 24))
    expect(new Set(place.runner.tasks.map(({ segment }) => segment.segmentId)).size).toBe(1)
    expect(place.budget.bytes).toBe(0)
  })

  it('closes the open segment when nothing else can free bytes', async () => {
    const place = new LanePlace({ inFlightBytesMax: chargeOfBatch(0, 4) })
    const session = await place.session(0)
    await session.accept(batch(0, 4), quiet)
    expect(await session.accept(batch(4, 6), quiet)).toBe(true)
    expect(place.sink.offsets()).toEqual(range(0, 4))
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 6))
    expect(place.budget.bytes).toBe(0)
  })

  it('admits a large batch in slices, and never goes far beyond its limit', async () => {
    const large = { ...batch(0, 12) }
    const messages = large.messages.map((one) => message({ ...one, value: Buffer.alloc(300_000) }))
    const inFlightBytesMax = 1_000_000
    const place = new LanePlace({ inFlightBytesMax })
    const session = await place.session(0)
    expect(await session.accept({ ...large, messages }, quiet)).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 12))
    const fills = place.observer.of('inFlight').map(([bytes]) => bytes)
    expect(Math.max(...fills)).toBeLessThanOrEqual(inFlightBytesMax)
    expect(place.budget.bytes).toBe(0)
  })

  it('is given back for what was packed and not closed when the session is abandoned', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 4), quiet)
    await session.abandon()
    expect(place.budget.bytes).toBe(0)
    expect(place.sink.publishCalls).toBe(0)
  })

  it('stays charged for abandoned segments until their workers are done', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 4), quiet)
    place.runner.gate.close()
    void session.drain()
    await settled()
    await session.accept(batch(4, 6), quiet)
    const abandoned = session.abandon()
    await settled()
    expect(place.budget.bytes).toBe(chargeOfBatch(0, 4))
    place.runner.gate.open()
    await abandoned
    expect(place.budget.bytes).toBe(0)
    expect(place.sink.publishCalls).toBe(0)
  })

  it('is given back once when the session is abandoned while it publishes', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 4), quiet)
    place.sink.publishGate.close()
    void session.drain()
    await settled()
    await session.abandon()
    expect(place.budget.bytes).toBe(0)
    place.sink.publishGate.open()
    await settled()
    expect(place.budget.bytes).toBe(0)
  })

  it('is given back when the session ends while a batch waits for it', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    place.budget.take(BUDGET_BYTES)
    const accepted = session.accept(batch(0, 4), quiet)
    await settled()
    await session.abandon()
    place.budget.release(BUDGET_BYTES)
    expect(await accepted).toBe(false)
    expect(place.budget.bytes).toBe(0)
  })

  it('is given back when the session ends while a batch waits for its key', async () => {
    const place = new LanePlace({ window: { messagesMax: 2 } })
    const session = await place.session(0)
    await session.accept(batch(0, 1), quiet)
    place.keyGate.close()
    const accepted = session.accept(batch(1, 5), quiet)
    await settled()
    await session.abandon()
    place.keyGate.open()
    expect(await accepted).toBe(false)
    await settled()
    expect(place.budget.bytes).toBe(0)
  })

  it('is given back for what could not be packed when no key can be made', async () => {
    const place = new LanePlace({ window: { messagesMax: 2, outageFactor: 1 } })
    const session = await place.session(0)
    await session.accept(batch(0, 1), quiet)
    place.kms.failures.push(...range(0, 2).map(() => new SealError('SEAL_KMS_REFUSED', 'no')))
    await expect(session.accept(batch(1, 5), quiet)).rejects.toThrow('no')
    // The second key was made ahead, and what was packed under both stays packed.
    await session.drain()
    expect(place.sink.offsets()).toEqual([0, 1, 2, 3])
    expect(place.budget.bytes).toBe(0)
  })
})
