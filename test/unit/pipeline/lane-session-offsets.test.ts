import { describe, expect, it } from 'vitest'
import { batch, LanePlace, quiet, range } from '../../support/lane-place.ts'

describe('the offsets that a session publishes', () => {
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

  it('are not moved by control records behind a gap that were made stale by a seek', async () => {
    const place = new LanePlace()
    const session = await place.session(3)
    let isStale = false
    const read = place.source.logBounds.bind(place.source)
    place.source.logBounds = async (at) => {
      isStale = true
      return read(at)
    }
    const control = { ...quiet, isStale: () => isStale }
    expect(await session.accept({ ...batch(6, 6), nextOffset: 9 }, control)).toBe(false)
    expect(await session.accept(batch(3, 9), quiet)).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual(range(3, 9))
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
