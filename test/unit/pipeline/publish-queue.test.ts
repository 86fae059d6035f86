import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { parcelBytes } from '../../../src/format/parcel.ts'
import type { DekWindow } from '../../../src/keys/dek-window.ts'
import type { PartTask } from '../../../src/pipeline/part-task.ts'
import { PublishQueue } from '../../../src/pipeline/publish-queue.ts'
import { SegmentGroup } from '../../../src/pipeline/segment-group.ts'
import { SegmentWriter } from '../../../src/pipeline/segment-writer.ts'
import { frameBytesOf } from '../../../src/segment/part-buffer.ts'
import { away, batch, LanePlace, PUBLISH_WITHIN_MS, range } from '../../support/lane-place.ts'
import { valuesOf } from '../../support/record-runs.ts'
import { CLUSTER_ID, makeDek } from '../../support/sealed-segment.ts'
import { settled } from '../../support/stepped-clock.ts'

let place: LanePlace
let queue: PublishQueue
let window: DekWindow

beforeEach(async () => {
  place = new LanePlace()
  queue = new PublishQueue(place.services, await place.sink.openLane(0), (error) =>
    place.failures.push(error),
  )
  window = place.windowOf(await makeDek(place.kms))
})

/** A group of one segment, of messages with these offsets, charged to the budget. */
function groupOf(from: number, to: number): SegmentGroup {
  const group = new SegmentGroup(place.clock.elapsedMs())
  if (from === to) return group

  const segmentId = randomUUID()
  const plan = {
    ...{ segmentId, objectKey: `sealed/segments/${segmentId}.seal`, clusterId: CLUSTER_ID },
    ...{ createdAtMs: place.clock.nowMs(), token: randomUUID(), window },
    limits: place.settings.segment,
  }
  const writer = new SegmentWriter(plan, place.services.segments)
  const member = group.open('orders', writer)
  for (const one of batch(from, to).messages) {
    const bytes = frameBytesOf(parcelBytes(one))
    place.budget.take(bytes)
    writer.add(one, writer.sources.of(one), bytes, bytes)
    group.packed(member, group.progress(one), one.offset + 1)
  }
  return group
}

/** The id of the only segment of a group. */
function idOf(group: SegmentGroup): string {
  return group.member('orders')?.writer.plan.segmentId ?? ''
}

/** Holds each part by itself; `release` lets the one of a segment go on. */
function holdParts(): { release(group: SegmentGroup): void } {
  const waiting = new Map<string, () => void>()
  const run = place.runner.run.bind(place.runner)
  place.runner.run = async (task: PartTask) => {
    await new Promise<void>((resolve) => waiting.set(task.segment.segmentId, resolve))
    return run(task)
  }
  return { release: (group) => waiting.get(idOf(group))?.() }
}

/** The wall clock goes on, the monotonic one does not. */
function suspend(ms: number): void {
  const now = place.clock.nowMs.bind(place.clock)
  place.clock.nowMs = () => now() + ms
}

const offsetsByTransaction = () =>
  place.sink.publications.map(({ records }) =>
    records.flatMap(({ runs }) =>
      valuesOf(runs).map((value) => JSON.parse(value.toString()).offset),
    ),
  )

describe('the publish queue', () => {
  it('publishes after the segment is recorded as sealed, and marks it afterwards', async () => {
    const writer = groupOf(0, 2)
    const segmentId = idOf(writer)
    queue.add(writer)
    expect(queue.isEmpty).toBe(false)
    await queue.settled
    expect(queue.isEmpty).toBe(true)
    expect(place.journal.slice(-3)).toEqual([
      `sealed ${segmentId}`,
      'publish',
      `published ${segmentId}`,
    ])
    expect(place.budget.bytes).toBe(0)
    expect(place.observer.of('published')).toEqual([[2, 1, 0, 0]])
  })

  it('keeps the order of closing when a later segment is sealed first', async () => {
    const held = holdParts()
    const [first, second] = [groupOf(0, 2), groupOf(2, 4)]
    queue.add(first)
    queue.add(second)
    await settled()
    held.release(second)
    await settled()
    expect(place.journal).toContain(`sealed ${idOf(second)}`)
    expect(place.sink.publishCalls).toBe(0)
    held.release(first)
    await queue.settled
    expect(place.sink.offsets()).toEqual([0, 1, 2, 3])
  })

  it('lets segments that are sealed share a transaction, sixteen at most', async () => {
    place.sink.publishGate.close()
    queue.add(groupOf(0, 1))
    await settled()
    for (const at of range(1, 19)) queue.add(groupOf(at, at + 1))
    await settled()
    place.sink.publishGate.open()
    await queue.settled
    expect(offsetsByTransaction()).toEqual([[0], range(1, 17), [17, 18]])
    expect(place.sink.commits()).toEqual([1, 17, 19])
    expect(place.budget.bytes).toBe(0)
  })

  it('does not wait for a segment in the middle that is not sealed yet', async () => {
    const held = holdParts()
    const writers = [groupOf(0, 1), groupOf(1, 2), groupOf(2, 3)]
    for (const writer of writers) queue.add(writer)
    await settled()
    held.release(writers[2] as SegmentGroup)
    await settled()
    held.release(writers[0] as SegmentGroup)
    await settled()
    expect(offsetsByTransaction()).toEqual([[0]])
    held.release(writers[1] as SegmentGroup)
    await queue.settled
    expect(offsetsByTransaction()).toEqual([[0], [1, 2]])
  })

  it('commits to the last moment of its time, and not after it', async () => {
    const held = holdParts()
    const writer = groupOf(0, 2)
    queue.add(writer)
    await settled()
    held.release(writer)
    place.clock.advance(PUBLISH_WITHIN_MS - 1)
    await queue.settled
    expect(place.sink.publications).toHaveLength(1)
  })

  it.each([
    ['has passed', () => place.clock.advance(PUBLISH_WITHIN_MS)],
    ['has passed while the machine was suspended', () => suspend(PUBLISH_WITHIN_MS)],
  ])('gives a segment up whose time %s, be it in the midst of the transaction', async (_, pass) => {
    place.sink.publishGate.close()
    queue.add(groupOf(0, 2))
    await settled()
    expect(place.sink.publishCalls).toBe(1)
    pass()
    place.sink.publishGate.open()
    await queue.settled
    expect(place.failures).toMatchObject([{ code: 'SEAL_TOO_LATE', retryable: true }])
    expect(place.sink.publications).toEqual([])
    expect(queue.isEmpty).toBe(false)
  })

  it('publishes nothing for a segment without messages, notes or sources', async () => {
    queue.add(groupOf(0, 0))
    await queue.settled
    expect(place.sink.publishCalls).toBe(0)
    expect(queue.isEmpty).toBe(true)
  })

  it('hands nothing back that is published, though it is closed in the very moment', async () => {
    let handedBack: SegmentGroup[] | null = null
    place.mapping.recordPublished = async () => {
      queueMicrotask(() => {
        handedBack = queue.close()
      })
    }
    queue.add(groupOf(0, 1))
    await settled()
    expect(place.budget.bytes).toBe(0)
    expect(handedBack).toEqual([])
  })

  it('goes on when the mark of publishing cannot be set', async () => {
    place.mapping.recordPublished = async () => {
      throw away('SEAL_MAPPING_UNAVAILABLE')
    }
    queue.add(groupOf(0, 1))
    await queue.settled
    expect(place.sink.offsets()).toEqual([0])
    expect(place.failures).toEqual([])
  })
})

describe('a crowd of segments', () => {
  it('lets go at the next publication of who no longer waits for its end', async () => {
    const held = holdParts()
    const groups = range(0, 12).map((offset) => groupOf(offset, offset + 1))
    for (const group of groups) queue.add(group)
    await settled()
    const [stays, leaves] = [new AbortController(), new AbortController()]
    const waiting = new Set(['stays', 'leaves'])
    void queue.calm(stays.signal).then(() => waiting.delete('stays'))
    void queue.calm(leaves.signal).then(() => waiting.delete('leaves'))
    leaves.abort()
    held.release(groups[0] as SegmentGroup)
    await settled()
    expect([...waiting]).toEqual(['stays'])
    for (const group of groups.slice(1, 4)) held.release(group)
    await settled()
    expect([...waiting]).toEqual([])
  })
})

describe('the topics of a publication', () => {
  const recreated = { code: 'SEAL_SOURCE_RESTARTED', retryable: false }

  it('are confirmed when all of it was fetched, and nothing is published of one created again', async () => {
    const held = holdParts()
    const writer = groupOf(0, 2)
    queue.add(writer)
    await settled()
    place.source.recreated.add('orders')
    held.release(writer)
    await queue.settled
    expect(place.failures).toMatchObject([recreated])
    expect(place.sink.publishCalls).toBe(0)
    expect(queue.isEmpty).toBe(false)
  })

  it('are waited for while Kafka is away, with nothing given up', async () => {
    place.source.failures.push(away('SEAL_KAFKA_UNAVAILABLE'), away('SEAL_KAFKA_UNAVAILABLE'))
    queue.add(groupOf(0, 2))
    await place.clock.step(1_000)
    expect(place.observer.of('waiting')).toHaveLength(2)
    expect(place.sink.offsets()).toEqual([0, 1])
    expect(place.failures).toEqual([])
  })

  it('are nobody’s any more once the queue is closed', async () => {
    place.source.confirmGate.close()
    const writer = groupOf(0, 1)
    queue.add(writer)
    await settled()
    expect(queue.close()).toEqual([writer])
    place.source.confirmGate.open()
    await queue.settled
    expect(place.sink.publishCalls).toBe(0)
    expect(place.failures).toEqual([])
  })
})

describe('a failure in the publish queue', () => {
  it('of a transaction is reported once, and nothing is published after it', async () => {
    const failure = away('SEAL_KAFKA_UNAVAILABLE')
    place.sink.failures.push(failure)
    queue.add(groupOf(0, 1))
    await queue.settled
    await settled()
    queue.add(groupOf(1, 2))
    await queue.settled
    await settled()
    expect(place.failures).toEqual([failure])
    expect(place.sink.publishCalls).toBe(1)
    expect(queue.isEmpty).toBe(false)
    expect(place.budget.bytes).toBeGreaterThan(0)
  })

  it('of sealing is reported once', async () => {
    place.store.failures.push(new SealError('SEAL_STORE_REFUSED', 'no rights'))
    queue.add(groupOf(0, 1))
    await queue.settled
    await settled()
    expect(place.failures).toMatchObject([{ code: 'SEAL_STORE_REFUSED' }])
    expect(place.sink.publishCalls).toBe(0)
  })

  it('of sealing a later segment is reported before its turn comes', async () => {
    place.sink.publishGate.close()
    queue.add(groupOf(0, 1))
    await settled()
    place.store.failures.push(new SealError('SEAL_STORE_REFUSED', 'no rights'))
    queue.add(groupOf(1, 2))
    await settled()
    expect(place.failures).toMatchObject([{ code: 'SEAL_STORE_REFUSED' }])
    place.sink.publishGate.open()
    await settled()
    expect(place.failures).toHaveLength(1)
  })

  it('is nobody’s any more once the queue is closed', async () => {
    const held = holdParts()
    const writer = groupOf(0, 1)
    queue.add(writer)
    await settled()
    expect(queue.close()).toEqual([writer])
    place.store.failures.push(new SealError('SEAL_STORE_REFUSED', 'no rights'))
    held.release(writer)
    await settled()
    expect(place.failures).toEqual([])
    expect(place.sink.publishCalls).toBe(0)
  })
})
