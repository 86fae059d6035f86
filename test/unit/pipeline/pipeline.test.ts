import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { TopicPartition } from '../../../src/pipeline/message-source.ts'
import { Pipeline } from '../../../src/pipeline/pipeline.ts'
import {
  away,
  BUDGET_BYTES,
  batch,
  LanePlace,
  type LanePlaceOptions,
  quiet,
  range,
} from '../../support/lane-place.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'
import { settled } from '../../support/stepped-clock.ts'

const DRAIN_MS = 5_000
const PARTITIONS: TopicPartition[] = [0, 1].map((partition) => ({ topic: 'orders', partition }))

/** A pipeline of two lanes that holds two partitions. */
async function started(options: LanePlaceOptions = {}) {
  const place = new LanePlace(options)
  const { source, sink, store, mapping, runner, observer, clock, kms, events } = place
  const actor = 'encryptor test'
  const keys = { kms, keyStore: mapping, events, actor, kekOf: () => KEK_ID }
  const lives = { firstUsed: () => {}, retired: () => {} }
  const memory = { rssBytes: () => 0, giveBack: () => {} }
  const pipeline = new Pipeline(
    { source, sink, store, mapping, runner, observer, clock, keys, lives, memory },
    {
      ...place.settings,
      ...{
        lanes: 2,
        window: place.window,
        deksMax: 100,
        inFlightBytesMax: options.inFlightBytesMax ?? BUDGET_BYTES,
        rssBytesMax: 1,
      },
    },
  )
  await pipeline.start()
  source.handler.onAssigned(PARTITIONS)
  await settled()
  const accept = (from: number, to: number, partition = 0) =>
    source.handler.onBatch(batch(from, to, { partition }), quiet)
  return { place, pipeline, accept }
}

/** What `stop` resolves to, with the time it takes passing; null while it has not resolved. */
function watched(stopped: Promise<boolean>): () => boolean | null {
  let outcome: boolean | null = null
  stopped.then((value) => {
    outcome = value
  })
  return () => outcome
}

describe('the pipeline', () => {
  it('gives each partition to its lane and tells what it holds', async () => {
    const { place, accept } = await started()
    expect(place.journal.filter((line) => line.startsWith('openLane'))).toEqual([
      'openLane 0',
      'openLane 1',
    ])
    expect(place.observer.of('assigned')).toEqual([[2, 2]])
    expect(await Promise.all([accept(0, 2, 0), accept(0, 2, 1)])).toEqual([true, true])
    place.source.handler.onAssigned(PARTITIONS.slice(1))
    expect(place.observer.of('assigned').at(-1)).toEqual([1, 1])
    expect(await accept(2, 3, 0)).toBe(false)
  })

  it('makes one DEK while the key store is away', async () => {
    const { place, accept } = await started()
    const record = place.mapping.recordDek.bind(place.mapping)
    let tries = 0
    place.mapping.recordDek = async (dek) => {
      if (tries++ < 3) throw away('SEAL_MAPPING_UNAVAILABLE')
      return record(dek)
    }
    const accepted = accept(0, 2)
    await place.clock.step(30_000)
    expect(await accepted).toBe(true)
    expect(tries).toBe(4)
    expect(place.kms.calls.generate).toBe(1)
    expect(place.observer.of('dekCreated')).toHaveLength(1)
  })

  it('waits for the log of key events as well, and makes no second DEK for it', async () => {
    const { place, accept } = await started()
    place.events.failures.push(away('SEAL_MAPPING_UNAVAILABLE'), away('SEAL_MAPPING_UNAVAILABLE'))
    const accepted = accept(0, 2)
    await settled()
    expect(place.observer.of('dekCreated')).toEqual([])
    await place.clock.step(30_000)
    expect(await accepted).toBe(true)
    expect(place.kms.calls.generate).toBe(1)
    const [[, dekId]] = place.observer.of('dekCreated') as [[string, string, string]]
    const events = place.events.all.map(({ kind, dekId: of }) => [kind, of])
    expect(events.slice(0, 2)).toEqual([
      ['created', dekId],
      ['wrapped', dekId],
    ])
  })

  it('tells of an interruption of the source until partitions are assigned again', async () => {
    const { place } = await started()
    place.source.handler.onInterrupted(away('SEAL_KAFKA_UNAVAILABLE'), 1)
    place.source.handler.onInterrupted(away('SEAL_KAFKA_UNAVAILABLE'), 2)
    expect(place.observer.of('waiting').map(([, , attempt]) => attempt)).toEqual([1, 2])
    expect(place.observer.of('recovered')).toEqual([])
    place.source.handler.onAssigned(PARTITIONS)
    expect(place.observer.of('recovered')).toHaveLength(1)
  })

  it.each([
    [
      'the source',
      async (place: LanePlace, error: SealError) => {
        place.source.handler.onFailure(error)
      },
    ],
    [
      'publishing',
      async (place: LanePlace, error: SealError) => {
        place.sink.failures.push(error)
        await place.clock.step(20_000)
      },
    ],
  ])('ends with a failure of %s that no waiting mends', async (_, cause) => {
    const { place, pipeline, accept } = await started()
    await accept(0, 2)
    const error = new SealError('SEAL_KAFKA_REFUSED', 'no rights')
    const ended = expect(pipeline.finished).rejects.toBe(error)
    await cause(place, error)
    await ended
    await accept(2, 3)
    const { publishCalls } = place.sink
    expect(await pipeline.stop(DRAIN_MS)).toBe(false)
    expect(place.sink.publishCalls).toBe(publishCalls)
    expect(place.sink.publications).toEqual([])
    expect(place.source.isStopped).toBe(true)
  })
})

describe('stopping the pipeline', () => {
  it('publishes what was read, leaves the group and resolves to true', async () => {
    const { place, pipeline, accept } = await started()
    await accept(0, 3, 0)
    await accept(5, 6, 1)
    expect(await pipeline.stop(DRAIN_MS)).toBe(true)
    await pipeline.finished
    expect(place.sink.offsets('orders', 0)).toEqual([0, 1, 2])
    expect(place.source.paused).toEqual(PARTITIONS)
    expect(place.source.isStopped).toBe(true)
    expect(place.sink.closedPublishers).toBe(2)
    expect(place.observer.of('inFlight').at(-1)).toEqual([0])
  })

  it('takes no more batches', async () => {
    const { place, pipeline, accept } = await started()
    place.sink.publishGate.close()
    await accept(0, 1)
    const stopped = pipeline.stop(DRAIN_MS)
    expect(await accept(1, 2)).toBe(false)
    place.sink.publishGate.open()
    expect(await stopped).toBe(true)
    expect(place.sink.offsets()).toEqual([0])
  })

  it('publishes batches that still wait for the budget', async () => {
    const { place, pipeline, accept } = await started({ inFlightBytesMax: 2_000 })
    place.sink.publishGate.close()
    await accept(0, 3)
    const waiting = accept(3, 6)
    await settled()
    const stopped = pipeline.stop(DRAIN_MS)
    await settled()
    place.sink.publishGate.open()
    expect(await stopped).toBe(true)
    expect(await waiting).toBe(true)
    expect(place.sink.offsets()).toEqual(range(0, 6))
  })

  it('resolves to false when publishing fails, though the lane starts anew', async () => {
    const { place, pipeline, accept } = await started()
    await accept(0, 3)
    place.sink.failures.push(away('SEAL_KAFKA_UNAVAILABLE'))
    expect(await pipeline.stop(DRAIN_MS)).toBe(false)
    expect(place.sink.offsets()).toEqual([])
  })

  it('pauses a partition that is fetched all the same', async () => {
    const { place, pipeline, accept } = await started()
    place.sink.publishGate.close()
    await accept(0, 1)
    const stopped = pipeline.stop(DRAIN_MS)
    place.source.paused.length = 0
    expect(await accept(1, 2)).toBe(false)
    expect(place.source.paused).toEqual([PARTITIONS[0]])
    place.sink.publishGate.open()
    await stopped
  })

  it('resolves to false when publishing hangs, and closes all the same', async () => {
    const { place, pipeline, accept } = await started()
    await accept(0, 3)
    place.sink.publishGate.close()
    const outcome = watched(pipeline.stop(DRAIN_MS))
    await place.clock.step(DRAIN_MS - 1)
    expect(outcome()).toBeNull()
    await place.clock.step(1)
    expect(outcome()).toBe(false)
    expect(place.source.isStopped).toBe(true)
    expect(place.sink.closedPublishers).toBe(2)
    expect(place.observer.of('inFlight').at(-1)).toEqual([0])
    await pipeline.finished
  })

  it('resolves to false soon after when even closing hangs', async () => {
    const { place, pipeline } = await started()
    place.sink.openGate.close()
    place.source.handler.onAssigned([...PARTITIONS, { topic: 'orders', partition: 2 }])
    await settled()
    const outcome = watched(pipeline.stop(DRAIN_MS))
    await place.clock.step(DRAIN_MS)
    expect(outcome()).toBeNull()
    await place.clock.step(3_000)
    expect(outcome()).toBe(false)
    await pipeline.finished
  })

  it('gives up waiting for a service that is away', async () => {
    const { place, pipeline, accept } = await started()
    place.mapping.recordSealed = async () => {
      throw away('SEAL_MAPPING_UNAVAILABLE')
    }
    await accept(0, 3)
    const outcome = watched(pipeline.stop(DRAIN_MS))
    await place.clock.step(DRAIN_MS)
    expect(outcome()).toBe(false)
    expect(place.sink.publishCalls).toBe(0)
    await pipeline.finished
  })
})

describe('lanes that share a window', () => {
  it.each([1, 3])('put no more than %i messages under one DEK', async (messagesMax) => {
    const { place, pipeline, accept } = await started({ window: { messagesMax } })
    const accepted = [accept(0, 7, 0), accept(0, 8, 1)]
    expect(await Promise.all(accepted)).toEqual([true, true])
    expect(await Promise.all([accept(7, 9, 0), accept(8, 9, 1)])).toEqual([true, true])
    expect(await pipeline.stop(DRAIN_MS)).toBe(true)
    const counts = [...place.messagesByDek().values()]
    expect(Math.max(...counts)).toBeLessThanOrEqual(messagesMax)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(18)
    expect(place.sink.offsets('orders', 0)).toEqual(range(0, 9))
    expect(place.sink.offsets('orders', 1)).toEqual(range(0, 9))
  })

  it('publish nothing for a segment that found its window used up', async () => {
    const { place, pipeline, accept } = await started({ window: { messagesMax: 1 } })
    await Promise.all([accept(0, 4, 0), accept(0, 4, 1)])
    await pipeline.stop(DRAIN_MS)
    const bare = place.sink.publications.filter(({ records }) => records.length === 0)
    expect(bare).toEqual([])
  })
})
