import { describe, expect, it } from 'vitest'
import type { BatchControl } from '../../../src/pipeline/message-source.ts'
import {
  away,
  BUDGET_BYTES,
  batch,
  chargeOf,
  LanePlace,
  type LanePlaceOptions,
  quiet,
  range,
  SEGMENT_AGE_MS,
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
    expect(place.sink.offsets('orders', 1)).toEqual([0])
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

  it('is not set aside a second time when it comes in again', async () => {
    const place = new LanePlace(quarantine)
    const session = await place.session(0)
    await session.accept({ ...batch(0, 1), messages: [unsealable(0)] }, quiet)
    await session.accept({ ...batch(0, 2), messages: [unsealable(0), message({ offset: 1 })] }, quiet)
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

describe('published offsets', () => {
  it('lie behind the last message, or behind what trails it', async () => {
    const place = new LanePlace()
    const session = await place.session(0, 0)
    await session.accept(batch(0, 3), quiet)
    await session.accept(batch(0, 3, { partition: 1, nextOffset: 5 }), quiet)
    await session.drain()
    expect(place.sink.commits('orders', 0)).toEqual([3])
    expect(place.sink.commits('orders', 1)).toEqual([5])
  })

  it('follow a batch of control records alone, and rise from there', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 3), quiet)
    await session.accept({ ...batch(3, 3), nextOffset: 6 }, quiet)
    await session.drain()
    await session.accept(batch(6, 7), quiet)
    await session.drain()
    expect(place.sink.commits()).toEqual([6, 7])
    expect(place.observer.of('partitionStopped')).toEqual([])
  })

  it('never go back when a batch comes in again', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 6, { nextOffset: 8 }), quiet)
    await session.accept(batch(0, 3), quiet)
    await session.drain()
    await session.accept(batch(2, 5), quiet)
    await session.accept(batch(8, 9), quiet)
    await session.accept(batch(4, 6), quiet)
    await session.drain()
    expect(place.sink.commits()).toEqual([8, 9])
  })

  it('name no partition that has nothing in the segment', async () => {
    const place = new LanePlace()
    const session = await place.session(7, 7)
    await session.accept(batch(7, 8, { partition: 1 }), quiet)
    await session.drain()
    expect(place.sink.commits('orders', 0)).toEqual([])
    expect(place.sink.commits('orders', 1)).toEqual([8])
  })

  it('are no lower than the position for a partition with control records alone', async () => {
    const place = new LanePlace()
    const session = await place.session(7, 7)
    await session.accept(batch(7, 8, { partition: 1 }), quiet)
    await session.accept({ ...batch(7, 7), nextOffset: 9 }, quiet)
    await session.drain()
    expect(place.sink.commits('orders', 0)).toEqual([9])
  })

  it('are not published where nothing was packed', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 0), quiet)
    await session.drain()
    expect(place.sink.publishCalls).toBe(0)
  })
})

describe('a segment is closed', () => {
  const sizes = (place: LanePlace) => place.runner.tasks.map(({ frameCount }) => frameCount)

  it.each([
    ['count', { segment: { messagesMax: 3 } }],
    ['size', { segment: { bytesMax: 3 * (chargeOf(message()) - 512) + 170 } }],
    ['messages of its window', { window: { messagesMax: 3 } }],
    ['bytes of its window', { window: { bytesMax: 3 * (chargeOf(message()) - 512) + 10 } }],
  ])('by %s', async (_, options: LanePlaceOptions) => {
    const place = new LanePlace(options)
    const session = await place.session(0)
    await session.accept(batch(0, 7), quiet)
    await session.drain()
    expect(sizes(place)).toEqual([3, 3, 1])
    expect(place.sink.offsets()).toEqual(range(0, 7))
    expect(place.messagesByDek().size).toBe(options.window === undefined ? 1 : 3)
  })

  it.each([
    ['its age', {}, SEGMENT_AGE_MS],
    ['the age of its window', { window: { ageMs: 2_000 } }, 2_000],
  ])('by %s', async (_, options: LanePlaceOptions, ageMs) => {
    const place = new LanePlace(options)
    const session = await place.session(0)
    await session.accept(batch(0, 2), quiet)
    await place.clock.step(ageMs - 1)
    expect(place.sink.publishCalls).toBe(0)
    await place.clock.step(1)
    expect(place.sink.offsets()).toEqual([0, 1])
    await session.accept(batch(2, 3), quiet)
    await session.drain()
    expect(place.sink.offsets()).toEqual([0, 1, 2])
    expect(place.messagesByDek().size).toBe(options.window === undefined ? 1 : 2)
  })

  it('by nobody once the session is over', async () => {
    const place = new LanePlace()
    const session = await place.session(0)
    await session.accept(batch(0, 2), quiet)
    await session.abandon()
    await place.clock.step(2 * SEGMENT_AGE_MS)
    await session.drain()
    expect(place.runner.tasks).toEqual([])
    expect(place.sink.publishCalls).toBe(0)
  })
})
