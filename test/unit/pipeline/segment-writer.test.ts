import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import { parcelBytes } from '../../../src/format/parcel.ts'
import {
  footerBytesOf,
  parseFooter,
  type SegmentFooter,
  TRAILER_BYTES,
} from '../../../src/format/segment-footer.ts'
import { SEGMENT_HEADER_BYTES } from '../../../src/format/segment-header.ts'
import type { DekWindow } from '../../../src/keys/dek-window.ts'
import { PART_BYTES_MIN } from '../../../src/limits.ts'
import { slotOf } from '../../../src/mapping/look-ups.ts'
import type { SealedSegment } from '../../../src/pipeline/segment-plan.ts'
import { SegmentWriter } from '../../../src/pipeline/segment-writer.ts'
import { frameBytesOf } from '../../../src/segment/part-buffer.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { away, batch, LanePlace } from '../../support/lane-place.ts'
import { message } from '../../support/messages.ts'
import { CLUSTER_ID, makeDek, referenceTexts } from '../../support/sealed-segment.ts'
import { settled } from '../../support/stepped-clock.ts'

const OBJECT_KEY = 'sealed/segments/orders/2026/01/02/03/segment.seal'
const MIB = 1024 * 1024

let place: LanePlace
let window: DekWindow
let writer: SegmentWriter

beforeEach(async () => {
  place = new LanePlace()
  window = place.windowOf(await makeDek(place.kms))
  writer = new SegmentWriter(
    {
      ...{ segmentId: randomUUID(), objectKey: OBJECT_KEY, clusterId: CLUSTER_ID },
      ...{ createdAtMs: place.clock.nowMs(), token: randomUUID(), window },
      limits: { bytesMax: 2 ** 30, messagesMax: 1_000, partBytesMax: PART_BYTES_MIN },
    },
    place.services.segments,
  )
})

function add(...messages: Message[]): void {
  for (const one of messages) {
    const bytes = frameBytesOf(parcelBytes(one))
    writer.add(one, writer.sources.of(one), bytes, bytes)
  }
}

/** Messages of a MiB each, over two partitions: `count` of them are more than one part. */
function large(count: number): Message[] {
  return Array.from({ length: count }, (_, i) =>
    message({ partition: i % 2, offset: 100 + i, value: Buffer.alloc(MIB, i) }),
  )
}

function footerOf(bytes: Buffer): SegmentFooter {
  const footerBytes = footerBytesOf(bytes.subarray(-TRAILER_BYTES))
  return parseFooter(bytes.subarray(-footerBytes), bytes.length)
}

/** What the references of a segment say, and what the index of its footer says, in one form. */
function bothIndexes(segment: SealedSegment) {
  const footer = footerOf(place.store.objects.get(OBJECT_KEY)?.bytes as Buffer)
  const index = footer.frames.map(({ position, length, offset, source }) => {
    const { topic, partition } = footer.sources[source] as SegmentFooter['sources'][number]
    return { v: 1, object: OBJECT_KEY, topic, partition, offset, position, length }
  })
  const references = referenceTexts(segment.references).map((text) => JSON.parse(text))
  // Partition by partition: only there references have an order.
  const inOrder = (places: typeof index) => places.toSorted((a, b) => a.partition - b.partition)
  return { index: inOrder(index), references: inOrder(references) }
}

describe('a segment', () => {
  it('of one part is put as a whole object, and its footer says what its references say', async () => {
    add(...batch(0, 3).messages, ...batch(8, 9, { partition: 4 }).messages)
    const segment = await writer.finish()
    expect(place.runner.tasks.map(({ upload }) => upload.kind)).toEqual(['whole-object'])
    expect(place.store.uploads.size).toBe(0)
    const { index, references } = bothIndexes(segment)
    expect(references).toEqual(index)
    expect(references.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [4, 8],
    ])
    expect(references[0]?.position).toBe(SEGMENT_HEADER_BYTES)
    expect(segment.messageCount).toBe(4)
    expect(segment.sources.map(({ partition, index }) => [partition, index])).toEqual([
      [0, 0],
      [4, 1],
    ])
  })

  it('of several parts is a multipart upload of the same form', async () => {
    add(...large(12))
    const segment = await writer.finish()
    const parts = place.runner.tasks.map(({ upload, frameCount, position }) => {
      return [upload.kind === 'part' ? upload.partNumber : upload.kind, frameCount, position > 0]
    })
    expect(parts).toEqual([
      [1, 5, false],
      [2, 5, true],
      [3, 2, true],
    ])
    expect(place.store.uploads.size).toBe(0)
    const { index, references } = bothIndexes(segment)
    expect(references).toEqual(index)
    expect(new Set(references.map(({ offset }) => offset)).size).toBe(12)
    const bytes = place.store.objects.get(OBJECT_KEY)?.bytes.length
    for await (const entry of place.mapping.segmentsOfDek(window.dek.record.dekId)) {
      expect(entry).toMatchObject({ state: 'sealed', messageCount: 12, bytes })
    }
  })

  it('keeps its parts in order when a later one is done first', async () => {
    place.runner.gate.close()
    add(...large(11))
    const finished = writer.finish()
    await settled()
    expect(place.runner.tasks).toHaveLength(3)
    const first = place.runner.tasks[0]
    place.runner.gate.passOne()
    await settled()
    expect(first?.position).toBe(0)
    place.runner.gate.open()
    const { index, references } = bothIndexes(await finished)
    expect(references).toEqual(index)
  })

  it('lets nothing leave before its intent is durable', async () => {
    const record = place.mapping.recordIntent.bind(place.mapping)
    const held = Promise.withResolvers<void>()
    place.mapping.recordIntent = (intent) => held.promise.then(() => record(intent))
    add(...large(6))
    await settled()
    expect(place.runner.tasks.length).toBe(0)
    expect(place.store.uploads.size).toBe(0)
    held.resolve()
    await writer.finish()
    const { segmentId } = writer.plan
    expect(place.journal).toEqual([
      `intent ${segmentId}`,
      `run ${segmentId}`,
      `run ${segmentId}`,
      `sealed ${segmentId}`,
    ])
  })

  it('is not finished before it is recorded as sealed', async () => {
    const record = place.mapping.recordSealed.bind(place.mapping)
    const held = Promise.withResolvers<void>()
    place.mapping.recordSealed = (summary) => held.promise.then(() => record(summary))
    add(message())
    let isFinished = false
    const finishing = writer.finish().then(() => {
      isFinished = true
    })
    await settled()
    expect(place.store.objects.size).toBe(1)
    expect(isFinished).toBe(false)
    held.resolve()
    await finishing
  })

  it('records nothing and stores nothing when it is empty', async () => {
    const segment = await writer.finish()
    expect(segment).toMatchObject({ messageCount: 0, references: [], sources: [] })
    expect(place.journal).toEqual([])
    expect(place.store.objects.size).toBe(0)
  })

  it('tries a part again with the steps that are left, when one failed', async () => {
    place.store.failures.push(away('SEAL_STORE_UNAVAILABLE'), away('SEAL_STORE_UNAVAILABLE'))
    add(...batch(0, 3).messages)
    const finished = writer.finish()
    await place.clock.step(10_000)
    const { index, references } = bothIndexes(await finished)
    expect(references).toEqual(index)
    expect(place.runner.tasks.map(({ progress }) => progress.mapped)).toEqual([false, true, true])
  })

  it('is not finished before the totals of every source are recorded', async () => {
    const { mapping } = place
    const record = mapping.recordTotals.bind(mapping)
    const held = Promise.withResolvers<void>()
    mapping.recordTotals = (...totals) => held.promise.then(() => record(...totals))
    add(...large(7))
    let isFinished = false
    const finishing = writer.finish().finally(() => {
      isFinished = true
    })
    await settled()
    expect(place.store.objects.size).toBe(1)
    expect(isFinished).toBe(false)
    held.resolve()
    const { key } = await finishing
    const { createdAtMs } = writer.plan
    const frames = frameBytesOf(parcelBytes(message({ value: Buffer.alloc(MIB) })))
    for (const [partition, count] of [4, 3].entries()) {
      const found = await all(mapping.segmentsOfTopic('orders', slotOf(createdAtMs), partition))
      const totals = { messageCount: count, bytes: count * frames }
      expect(found).toEqual([{ ...key, partition, totals }])
    }
  })

  it('fails with what no waiting mends, and lets go of its DEK', async () => {
    place.store.failures.push(new SealError('SEAL_STORE_REFUSED', 'no rights'))
    add(message())
    await expect(writer.finish()).rejects.toMatchObject({ code: 'SEAL_STORE_REFUSED' })
    expect(place.journal.filter((line) => line.startsWith('sealed'))).toEqual([])
    window.dek.release()
    expect(() => window.dek.retain()).toThrow('after its release')
  })
})

describe('a segment that is given up', () => {
  it('aborts its upload once its workers are done, and lets go of its DEK once', async () => {
    place.runner.gate.close()
    add(...large(6))
    await settled()
    expect(place.store.uploads.size).toBe(1)
    const abandoned = writer.abandon()
    await settled()
    expect(place.store.uploads.size).toBe(1)
    place.runner.gate.open()
    await abandoned
    expect(place.store.uploads.size).toBe(0)
    expect(place.store.objects.size).toBe(0)
    expect(() => window.dek.retain().release()).not.toThrow()
    window.dek.release()
    expect(() => window.dek.retain()).toThrow('after its release')
  })

  it('is no failure when the store cannot be reached', async () => {
    add(...large(6))
    await settled()
    place.store.abortUpload = async () => {
      throw new SealError('SEAL_STORE_UNAVAILABLE', 'away', { retryable: true })
    }
    await expect(writer.abandon()).resolves.toBeUndefined()
  })
})

describe('the keys of a segment', () => {
  const frameKey = () => place.runner.tasks[0]?.segment.frameKey

  it('are wiped when its last part is done', async () => {
    place.runner.gate.close()
    add(...batch(0, 3).messages)
    const finished = writer.finish()
    await settled()
    expect(frameKey()?.isWiped).toBe(false)
    place.runner.gate.open()
    await finished
    expect(frameKey()?.isWiped).toBe(true)
  })

  it('stay for the parts that still run when another one failed, and so does the DEK', async () => {
    const dek = { isWiped: false }
    window.dek.onWiped(() => {
      dek.isWiped = true
    })
    window.dek.release()
    place.runner.gate.close()
    add(...large(11))
    const finished = writer.finish().catch(({ code }) => code)
    await settled()
    expect(place.runner.tasks).toHaveLength(3)
    place.store.failures.push(new SealError('SEAL_STORE_REFUSED', 'no rights'))
    place.runner.gate.passOne()
    expect(await finished).toBe('SEAL_STORE_REFUSED')
    await settled()
    expect([frameKey()?.isWiped, dek.isWiped]).toEqual([false, false])
    place.runner.gate.open()
    await settled()
    expect([frameKey()?.isWiped, dek.isWiped]).toEqual([true, true])
  })

  it('are wiped when it is given up', async () => {
    add(...large(6))
    await settled()
    await writer.abandon()
    expect(frameKey()?.isWiped).toBe(true)
  })
})
