import { describe, expect, it } from 'vitest'
import type { BatchControl } from '../../../src/pipeline/message-source.ts'
import {
  away,
  BUDGET_BYTES,
  batch,
  LanePlace,
  type LanePlaceOptions,
  quiet,
  range,
  unsealable,
} from '../../support/lane-place.ts'
import { message } from '../../support/messages.ts'
import { settled } from '../../support/stepped-clock.ts'

const stale: BatchControl = { ...quiet, isStale: () => true }

describe('batches of one partition', () => {
  it('are packed once and in order when one comes in again, longer, while it waits', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    place.budget.take(BUDGET_BYTES)
    const first = session.accept(batch(0, 4), quiet)
    await settled()
    const again = session.accept(batch(0, 8), quiet)
    await settled()
    place.budget.release(BUDGET_BYTES)
    expect(await first).toBe(true)
    expect(await again).toBe(true)
    expect(await session.accept(batch(8, 10), quiet)).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 10))
    expect(place.sink.commits()).toEqual([10])
    expect(place.budget.bytes).toBe(0)
  })

  it('are packed whole by the second when the first was made stale while it waited', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    place.budget.take(BUDGET_BYTES)
    const first = session.accept(batch(0, 4), stale)
    const again = session.accept(batch(0, 8), quiet)
    await settled()
    place.budget.release(BUDGET_BYTES)
    expect(await Promise.all([first, again])).toEqual([false, true])
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(0, 8))
  })

  it('are packed after one that failed', async () => {
    const place = new LanePlace()
    const session = await place.session(5)
    place.source.failures.push(new Error('broken'))
    const gap = session.accept(batch(7, 9), quiet)
    const next = session.accept(batch(5, 7), quiet)
    await expect(gap).rejects.toThrow('broken')
    expect(await next).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual([5, 6])
  })

  it('do not wait for another partition', async () => {
    const place = new LanePlace()
    const session = await place.session(5, 5)
    place.source.failures.push(away('SEAL_KAFKA_UNAVAILABLE'))
    const waiting = session.accept(batch(7, 9), quiet)
    expect(await session.accept(batch(5, 7, { partition: 1 }), quiet)).toBe(true)
    await place.clock.step(1_000)
    expect(await waiting).toBe(true)
  })

  it('pass over what lies before the position', async () => {
    const place = new LanePlace()
    const session = await place.session(6)
    expect(await session.accept(batch(4, 6), quiet)).toBe(true)
    expect(await session.accept(batch(4, 8), quiet)).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual([6, 7])
    expect(place.sink.commits()).toEqual([8])
  })

  it('keep a message whose partition finds the segment closed just before it packs', async () => {
    const place = new LanePlace({ segment: { bytesMax: 2_000 } })
    const session = await place.session(0, 0)
    place.keyGate.close()
    const large = message({ offset: 1, value: Buffer.alloc(1_900) })
    const first = { ...batch(0, 2), messages: [message({ offset: 0 }), large] }
    const accepted = [
      session.accept(first, quiet),
      session.accept(batch(0, 1, { partition: 1 }), quiet),
    ]
    await settled()
    place.keyGate.open()
    expect(await Promise.all(accepted)).toEqual([true, true])
    await session.drain()
    expect(place.sink.offsets('orders', 0)).toEqual([0, 1])
    expect({
      published: place.sink.offsets('orders', 1),
      commits: place.sink.commits('orders', 1).at(-1),
    }).toEqual({ published: [0], commits: 1 })
    expect(place.budget.bytes).toBe(0)
  })
})

describe('accept resolves to false', () => {
  it('for a partition that the session does not serve', async () => {
    const session = await new LanePlace().session(0)
    expect(await session.accept(batch(0, 1, { partition: 1 }), quiet)).toBe(false)
  })

  it('once the session is closed', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.abandon()
    expect(await session.accept(batch(0, 1), quiet)).toBe(false)
    expect(place.budget.bytes).toBe(0)
  })

  it('for a batch that is stale by the time it is admitted', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    expect(await session.accept(batch(0, 1), stale)).toBe(false)
    expect(place.budget.bytes).toBe(0)
    await session.drain()
    expect(place.sink.publishCalls).toBe(0)
  })

  it('for a partition that was stopped, and for it alone', async () => {
    const session = await new LanePlace().session(0, 0)
    const refused = { ...batch(0, 1), messages: [unsealable(0)] }
    expect(await session.accept(refused, quiet)).toBe(false)
    expect(await session.accept(batch(1, 2), quiet)).toBe(false)
    expect(await session.accept(batch(0, 2, { partition: 1 }), quiet)).toBe(true)
  })
})

describe('an unsealable message', () => {
  const mixed = () => {
    const [a, , c] = batch(0, 3).messages
    return { ...batch(0, 3), messages: [a, unsealable(1), c].filter((one) => one !== undefined) }
  }
  const quarantine: LanePlaceOptions = { settings: { onUnsealable: 'quarantine' } }

  it('stops its partition once, where it stands; what lies before it is published', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    expect(await session.accept(mixed(), quiet)).toBe(false)
    expect(await session.accept(mixed(), quiet)).toBe(false)
    await session.drain()
    expect(place.source.paused).toEqual([{ topic: 'orders', partition: 0 }])
    const code = 'SEAL_MESSAGE_UNSEALABLE'
    expect(place.observer.of('partitionStopped')).toEqual([
      ['orders', 0, 1, expect.objectContaining({ code })],
    ])
    expect(place.sink.offsets()).toEqual([0])
    expect(place.sink.commits()).toEqual([1])
    expect(place.budget.bytes).toBe(0)
  })

  it.each([
    ['first', [0], [1, 2]],
    ['in the middle', [1], [0, 2]],
    ['last', [2], [0, 1]],
    ['twice in a row', [1, 2], [0]],
    ['all there is', [0, 1, 2], []],
  ])('is set aside under the policy quarantine: %s', async (_, refused, sealed) => {
    const place = new LanePlace(quarantine)
    const session = await place.session(0)
    const messages = batch(0, 3).messages.map((one) =>
      refused.includes(one.offset) ? unsealable(one.offset) : one,
    )
    expect(await session.accept({ ...batch(0, 3), messages }, quiet)).toBe(true)
    await session.drain()
    const notes = place.sink.references('orders', 0, '.quarantine')
    expect(notes.map(({ offset }) => offset)).toEqual(refused)
    expect(place.observer.of('quarantined').map(([, , offset]) => offset)).toEqual(refused)
    expect(place.sink.offsets()).toEqual(sealed)
    expect(place.sink.commits()).toEqual([3])
    expect(place.source.paused).toEqual([])
    expect(place.store.objects.size).toBe(sealed.length > 0 ? 1 : 0)
    expect(place.budget.bytes).toBe(0)
  })

  it('is noted though its partition finds the segment closed by then', async () => {
    const place = new LanePlace({ ...quarantine, segment: { messagesMax: 1 } })
    const session = await place.session(0, 0)
    place.keyGate.close()
    const refused = batch(0, 1, { partition: 1 })
    const messages = [{ ...unsealable(0), partition: 1 }]
    const accepted = [
      session.accept(batch(0, 3), quiet),
      session.accept({ ...refused, messages }, quiet),
    ]
    await settled()
    place.keyGate.open()
    expect(await Promise.all(accepted)).toEqual([true, true])
    await session.drain()
    expect(place.sink.references('orders', 1, '.quarantine')).toHaveLength(1)
    expect(place.sink.commits('orders', 1)).toEqual([1])
    expect(place.sink.offsets()).toEqual([0, 1, 2])
  })

  it('is not set aside a second time when it comes in again', async () => {
    const place = new LanePlace(quarantine)
    const session = await place.session(0)
    await session.accept({ ...batch(0, 1), messages: [unsealable(0)] }, quiet)
    await session.accept(
      { ...batch(0, 2), messages: [unsealable(0), message({ offset: 1 })] },
      quiet,
    )
    await session.drain()
    expect(place.sink.references('orders', 0, '.quarantine')).toHaveLength(1)
    expect(place.sink.offsets()).toEqual([1])
  })
})

describe('a fetch that begins behind the position', () => {
  it.each([3, 5])('is fine when Kafka still holds messages from %i on', async (oldest) => {
    const place = new LanePlace()
    const session = await place.session(5)
    place.source.oldest.set('orders/0', oldest)
    expect(await session.accept(batch(7, 9), quiet)).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual([7, 8])
    expect(place.source.paused).toEqual([])
  })

  it('stops the partition when messages between were deleted', async () => {
    const place = new LanePlace()
    const session = await place.session(5)
    place.source.oldest.set('orders/0', 7)
    expect(await session.accept(batch(7, 9), quiet)).toBe(false)
    expect(await session.accept(batch(9, 10), quiet)).toBe(false)
    await session.drain()
    expect(place.source.paused).toEqual([{ topic: 'orders', partition: 0 }])
    expect(place.observer.of('partitionStopped')).toEqual([
      ['orders', 0, 5, expect.objectContaining({ code: 'SEAL_SOURCE_GAP' })],
    ])
    expect(place.sink.publishCalls).toBe(0)
  })

  it('is dropped when the session ends while Kafka is asked', async () => {
    const place = new LanePlace()
    const session = await place.session(5)
    place.source.failures.push(away('SEAL_KAFKA_UNAVAILABLE'))
    const accepted = session.accept(batch(7, 9), quiet)
    await settled()
    await session.abandon()
    await place.clock.step(1_000)
    expect(await accepted).toBe(false)
    expect(place.budget.bytes).toBe(0)
  })
})
