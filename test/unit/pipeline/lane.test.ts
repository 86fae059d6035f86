import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { Lane } from '../../../src/pipeline/lane.ts'
import { placeOf, type TopicPartition } from '../../../src/pipeline/message-source.ts'
import {
  away,
  BUDGET_BYTES,
  batch,
  LanePlace,
  quiet,
  range,
  rebalanced,
} from '../../support/lane-place.ts'
import { settled } from '../../support/stepped-clock.ts'

const held: TopicPartition[] = [{ topic: 'orders', partition: 0 }]

let place: LanePlace
let lane: Lane

beforeEach(() => {
  place = new LanePlace()
  lane = new Lane(3, place.services, (error) => place.failures.push(error))
})

describe('assigning a lane', () => {
  it('fences before it reads the committed offsets, and seeks to them', async () => {
    place.source.committed.set('orders/0', 7)
    place.sink.openGate.close()
    lane.assign(held)
    await settled()
    expect(place.journal).toEqual(['openLane 3'])
    place.source.committed.set('orders/0', 9)
    place.sink.openGate.open()
    await settled()
    expect(place.journal).toEqual(['openLane 3', 'startOffsets', 'seek orders/0 9'])
  })

  it('waits for Kafka while it opens', async () => {
    place.sink.openFailures.push(away('SEAL_KAFKA_UNAVAILABLE'))
    place.source.failures.push(away('SEAL_KAFKA_UNAVAILABLE'))
    lane.assign(held)
    const accepted = lane.accept(batch(0, 1), quiet)
    await place.clock.step(10_000)
    expect(await accepted).toBe(true)
    expect(place.failures).toEqual([])
  })

  it('with the same partitions keeps the session and what it holds', async () => {
    lane.assign(held)
    await lane.accept(batch(0, 2), quiet)
    lane.assign(held.map((at) => ({ ...at })))
    await lane.accept(batch(2, 3), quiet)
    await lane.drain()
    expect(place.journal.filter((line) => line.startsWith('openLane'))).toHaveLength(1)
    expect(place.sink.offsets()).toEqual([0, 1, 2])
  })

  it.each([
    ['more', [...held, { topic: 'orders', partition: 1 }]],
    ['others', [{ topic: 'orders', partition: 1 }]],
  ])('with %s abandons the session and opens anew', async (_, partitions) => {
    lane.assign(held)
    await lane.accept(batch(0, 2), quiet)
    lane.assign(partitions)
    await lane.drain()
    expect(place.journal.filter((line) => line.includes('Lane'))).toEqual([
      'openLane 3',
      'closeLane 3',
      'openLane 3',
    ])
    expect(place.sink.publishCalls).toBe(0)
    expect(place.budget.bytes).toBe(0)
    expect(await lane.accept(batch(0, 1, { partition: 1 }), quiet)).toBe(true)
  })

  it('with none abandons the session; batches are not dealt with any more', async () => {
    lane.assign(held)
    await lane.accept(batch(0, 2), quiet)
    lane.assign([])
    expect(await lane.accept(batch(2, 3), quiet)).toBe(false)
    await lane.drain()
    expect(place.sink.closedPublishers).toBe(1)
    expect(place.sink.publishCalls).toBe(0)
    expect(place.budget.bytes).toBe(0)
  })

  it('that fails for good ends the process once', async () => {
    place.sink.openFailures.push(new SealError('SEAL_KAFKA_REFUSED', 'no rights'))
    lane.assign(held)
    expect(await lane.accept(batch(0, 1), quiet)).toBe(false)
    expect(place.failures).toMatchObject([{ code: 'SEAL_KAFKA_REFUSED' }])
  })

  it('is no failure when the process stops meanwhile', async () => {
    place.sink.openFailures.push(away('SEAL_KAFKA_UNAVAILABLE'))
    lane.assign(held)
    await settled()
    place.stop.abort()
    await settled()
    expect(place.failures).toEqual([])
  })
})

describe('a batch in a lane', () => {
  /** A batch waits for the budget, and its heart tells of a rebalance. */
  async function leaveBehind(): Promise<void> {
    lane.assign(held)
    await settled()
    place.budget.take(BUDGET_BYTES)
    const left = expect(lane.accept(batch(0, 4), rebalanced)).rejects.toThrow('rebalance')
    await place.clock.step(1_000)
    await left
  }

  it('is kept alive by heartbeats while it waits', async () => {
    let beats = 0
    lane.assign(held)
    await settled()
    place.budget.take(BUDGET_BYTES)
    const control = { ...quiet, heartbeat: async () => void beats++ }
    const accepted = lane.accept(batch(0, 2), control)
    await place.clock.step(3_500)
    expect(beats).toBe(3)
    place.budget.release(BUDGET_BYTES)
    expect(await accepted).toBe(true)
    await place.clock.step(5_000)
    expect(beats).toBe(3)
  })

  it('left behind by a rebalance is packed once, though it comes in again, longer', async () => {
    await leaveBehind()
    lane.assign(held)
    const again = lane.accept(batch(0, 8), quiet)
    await settled()
    place.budget.release(BUDGET_BYTES)
    expect(await again).toBe(true)
    expect(await lane.accept(batch(8, 10), quiet)).toBe(true)
    await lane.drain()
    expect(place.sink.offsets()).toEqual(range(0, 10))
    expect(place.sink.commits()).toEqual([10])
    expect(place.budget.bytes).toBe(0)
    expect(place.failures).toEqual([])
  })

  it('is let go when the session has read it, not when a rebalance calls its handler back', async () => {
    const told: string[] = []
    lane.assign(held)
    await settled()
    place.budget.take(BUDGET_BYTES)
    const control = { ...rebalanced, letGo: () => void told.push('let go') }
    const left = expect(lane.accept(batch(0, 4), control)).rejects.toThrow('rebalance')
    await place.clock.step(1_000)
    await left
    expect(told).toEqual([])
    place.budget.release(BUDGET_BYTES)
    await settled()
    expect(told).toEqual(['let go'])
    await lane.drain()
    expect(place.sink.offsets()).toEqual(range(0, 4))
  })

  it('left behind by a lost lane gives its bytes back', async () => {
    await leaveBehind()
    lane.assign([])
    await settled()
    place.budget.release(BUDGET_BYTES)
    await settled()
    expect(place.budget.bytes).toBe(0)
    expect(place.failures).toEqual([])
  })

  it('left behind that fails afterwards ends the process', async () => {
    await leaveBehind()
    place.kms.failures.push(new SealError('SEAL_KMS_REFUSED', 'no rights'))
    place.budget.release(BUDGET_BYTES)
    await settled()
    expect(place.failures).toMatchObject([{ code: 'SEAL_KMS_REFUSED' }])
    expect(place.budget.bytes).toBe(0)
  })
})

describe('a lane of whose topics one was created again', () => {
  const both = [...held, { topic: 'payments', partition: 0 }]
  const stops = () =>
    place.observer
      .of('partitionStopped')
      .map(([topic, partition, offset, { code }]) => [topic, partition, offset, code])

  beforeEach(() => {
    for (const at of both) place.source.committed.set(placeOf(at), 10)
    lane.assign(both)
  })

  it('publishes nothing of it, stops its partitions and goes on with the others', async () => {
    place.source.recreated.add('orders')
    await lane.accept(batch(10, 20), quiet)
    await lane.accept(batch(10, 12, { topic: 'payments' }), quiet)
    await lane.drain()
    await place.clock.step(500)
    expect(place.sink.publishCalls).toBe(0)
    expect(place.observer.of('laneReset')).toEqual([[3, expect.stringContaining('created again')]])
    expect(stops()).toEqual([['orders', 0, 0, 'SEAL_SOURCE_RESTARTED']])
    expect(place.source.paused).toEqual(held)
    expect(place.source.seeks.at(-1)).toEqual({ topic: 'payments', partition: 0, offset: 10 })
    expect(place.budget.bytes).toBe(0)

    place.source.paused.length = 0
    expect(await lane.accept(batch(0, 20), quiet)).toBe(false)
    expect(place.source.paused).toEqual(held)
    await lane.accept(batch(10, 13, { topic: 'payments' }), quiet)
    await lane.drain()
    expect(place.sink.offsets('payments')).toEqual([10, 11, 12])
    expect(place.sink.offsets('orders')).toEqual([])
    await place.clock.step(10_000)
    expect(place.observer.of('laneReset')).toHaveLength(1)
    expect(place.failures).toEqual([])
  })

  it('does not adopt it when it opens again', async () => {
    await settled()
    place.source.recreated.add('orders')
    place.source.committed.set('orders/0', 0)
    lane.assign([...both, { topic: 'payments', partition: 1 }])
    await settled()
    expect(stops()).toEqual([['orders', 0, 0, 'SEAL_SOURCE_RESTARTED']])
    expect(await lane.accept(batch(0, 20), quiet)).toBe(false)
    expect(place.failures).toEqual([])
  })
})

describe('a lane whose publishing fails', () => {
  async function fail(error: SealError): Promise<void> {
    place.source.committed.set('orders/0', 4)
    lane.assign(held)
    await lane.accept(batch(4, 8), quiet)
    place.sink.failures.push(error)
    await lane.drain()
    await settled()
  }

  it('abandons, opens again after a pause and starts from the committed offsets', async () => {
    await fail(away('SEAL_KAFKA_UNAVAILABLE'))
    expect(place.observer.of('laneReset')).toEqual([[3, 'away']])
    expect(place.budget.bytes).toBe(0)
    place.journal.length = 0
    await place.clock.step(499)
    expect(place.journal).toEqual([])
    await place.clock.step(1)
    expect(place.journal).toEqual(['openLane 3', 'startOffsets', 'seek orders/0 4'])
    expect(await lane.accept(batch(4, 9), quiet)).toBe(true)
    await lane.drain()
    expect(place.sink.offsets()).toEqual(range(4, 9))
    expect(place.failures).toEqual([])
  })

  it('goes on behind a transaction whose commit got through although it failed', async () => {
    await fail(away('SEAL_KAFKA_UNAVAILABLE'))
    place.source.committed.set('orders/0', 8)
    await place.clock.step(500)
    expect(place.source.seeks.at(-1)).toMatchObject({ offset: 8 })
    await lane.accept(batch(4, 9), quiet)
    await lane.drain()
    expect(place.sink.offsets()).toEqual([8])
  })

  it('waits longer when another process has taken it over', async () => {
    await fail(new SealError('SEAL_FENCED', 'fenced'))
    place.journal.length = 0
    await place.clock.step(5_999)
    expect(place.journal).toEqual([])
    await place.clock.step(1)
    expect(place.journal[0]).toBe('openLane 3')
    expect(place.failures).toEqual([])
  })

  it('does not open again when it is lost during the pause', async () => {
    await fail(away('SEAL_KAFKA_UNAVAILABLE'))
    lane.assign([])
    place.journal.length = 0
    await place.clock.step(10_000)
    expect(place.journal).toEqual([])
    expect(await lane.accept(batch(4, 5), quiet)).toBe(false)
  })

  it('ends the process once when no waiting mends it', async () => {
    await fail(new SealError('SEAL_KAFKA_REFUSED', 'no rights'))
    await place.clock.step(10_000)
    expect(place.failures).toMatchObject([{ code: 'SEAL_KAFKA_REFUSED' }])
    expect(place.observer.of('laneReset')).toEqual([])
    expect(place.sink.publishCalls).toBe(1)
  })

  it('ends the process once when a segment cannot be sealed', async () => {
    lane.assign(held)
    await lane.accept(batch(0, 2), quiet)
    place.store.failures.push(new SealError('SEAL_STORE_REFUSED', 'no bucket'))
    await lane.drain()
    await settled()
    expect(place.failures).toMatchObject([{ code: 'SEAL_STORE_REFUSED' }])
  })
})
