import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { LaneSession } from '../../../src/pipeline/lane-session.ts'
import { batch, LanePlace, quiet } from '../../support/lane-place.ts'
import { settled } from '../../support/stepped-clock.ts'

const at = { topic: 'orders', partition: 0 }
let place: LanePlace
let session: LaneSession

beforeEach(async () => {
  place = new LanePlace()
  session = await place.session(5, 0)
})

/** What the partition stopped with: its offset and the code. */
function stopped() {
  return place.observer
    .of('partitionStopped')
    .map(([topic, partition, offset, error]) => [topic, partition, offset, error.code])
}

describe('a position at which Kafka holds nothing', () => {
  it('stops its partition alone when messages were deleted', async () => {
    place.source.oldest.set('orders/0', 9)
    await session.outOfRange(at)
    expect(stopped()).toEqual([['orders', 0, 5, 'SEAL_SOURCE_GAP']])
    expect(place.source.paused).toEqual([at])
    expect(await session.accept(batch(9, 10), quiet)).toBe(false)
    expect(await session.accept(batch(0, 2, { partition: 1 }), quiet)).toBe(true)
  })

  it('stops its partition when it lies behind the end', async () => {
    place.source.ends.set('orders/0', 4)
    await session.outOfRange(at)
    expect(stopped()).toEqual([['orders', 0, 5, 'SEAL_SOURCE_RESTARTED']])
  })

  it('is fetched again when the source stood elsewhere', async () => {
    place.source.ends.set('orders/0', 20)
    await session.accept(batch(5, 8), quiet)
    await session.outOfRange(at)
    expect(stopped()).toEqual([])
    expect(place.source.seeks.at(-1)).toEqual({ ...at, offset: 8 })
  })
})

describe('a position behind which another writer has committed', () => {
  it.each([
    ['that Kafka has deleted', () => session.outOfRange(at)],
    ['where the source goes on', () => session.accept(batch(20, 22), quiet)],
  ])('%s begins the lane anew and stops nothing', async (_, meet) => {
    place.source.oldest.set('orders/0', 9)
    place.source.committed.set('orders/0', 20)
    await meet()
    expect(stopped()).toEqual([])
    expect(place.failures).toMatchObject([{ code: 'SEAL_FENCED' }])
    await session.drain()
    expect(place.sink.offsets()).toEqual([])
  })

  it('is a gap for all that, where nothing was committed ever', async () => {
    place.source.committed.delete('orders/0')
    place.source.oldest.set('orders/0', 9)
    await session.outOfRange(at)
    expect(stopped()).toEqual([['orders', 0, 5, 'SEAL_SOURCE_GAP']])
    expect(place.failures).toEqual([])
  })
})

describe('a fetch from below what was committed', () => {
  it('is passed over when the group has committed what it had', async () => {
    expect(await session.accept(batch(2, 7), quiet)).toBe(true)
    await session.drain()
    expect(place.sink.offsets()).toEqual([5, 6])
  })

  it('stops the partition when the committed offset went back', async () => {
    place.source.committed.delete('orders/0')
    expect(await session.accept(batch(0, 9), quiet)).toBe(false)
    await session.drain()
    expect(stopped()).toEqual([['orders', 0, 5, 'SEAL_SOURCE_RESTARTED']])
    expect(place.sink.offsets()).toEqual([])
  })
})

describe('a fetch of a topic that was created again', () => {
  it('stops the partition when it begins elsewhere', async () => {
    place.source.recreated.add('orders')
    expect(await session.accept(batch(0, 20), quiet)).toBe(false)
    await session.drain()
    expect(stopped()).toEqual([['orders', 0, 5, 'SEAL_SOURCE_RESTARTED']])
    expect(place.source.paused).toEqual([at])
    expect(place.sink.offsets()).toEqual([])
    expect(place.failures).toEqual([])
  })
})

describe('a fetch from below the position', () => {
  it('ends the road when what the session itself has committed is gone', async () => {
    await session.accept(batch(5, 9), quiet)
    await session.drain()
    const gone = new SealError('SEAL_SOURCE_RESTARTED', 'no committed offset any more')
    place.source.startOffsets = async () => {
      throw gone
    }
    await expect(session.accept(batch(5, 20), quiet)).rejects.toBe(gone)
    await session.drain()
    expect(place.sink.offsets()).toEqual([5, 6, 7, 8])
  })
})

describe('a partition that has stopped', () => {
  it('is paused anew when a source that began anew fetches it', async () => {
    session.stopPartition(at, new SealError('SEAL_SOURCE_UNREADABLE', 'damaged'))
    place.source.paused.length = 0
    expect(await session.accept(batch(5, 8), quiet)).toBe(false)
    expect(place.source.paused).toEqual([at])
  })

  it('is left to the next session when its own is over', async () => {
    session.stopPartition(at, new SealError('SEAL_SOURCE_UNREADABLE', 'damaged'))
    await session.abandon()
    place.source.paused.length = 0
    expect(await session.accept(batch(5, 8), quiet)).toBe(false)
    expect(place.source.paused).toEqual([])
  })
})

describe('a partition that the source cannot read', () => {
  it('stops at its position, once, and what came before is published', async () => {
    await session.accept(batch(5, 8), quiet)
    const error = new SealError('SEAL_SOURCE_UNREADABLE', 'damaged')
    session.stopPartition(at, error)
    session.stopPartition(at, error)
    await session.drain()
    expect(stopped()).toEqual([['orders', 0, 8, 'SEAL_SOURCE_UNREADABLE']])
    expect(place.sink.offsets()).toEqual([5, 6, 7])
  })
})

describe('a group that heard nothing for too long', () => {
  it('gets no transaction any more', async () => {
    place.source.isHeard = false
    await session.accept(batch(5, 8), quiet)
    await session.drain()
    await settled()
    expect(place.sink.publishCalls).toBe(0)
    expect(place.failures).toMatchObject([{ code: 'SEAL_FENCED' }])
  })
})
