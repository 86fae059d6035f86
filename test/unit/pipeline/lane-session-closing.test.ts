import { describe, expect, it } from 'vitest'
import { parcelBytes } from '../../../src/format/parcel.ts'
import { SEGMENT_HEADER_BYTES } from '../../../src/format/segment-header.ts'
import { frameBytesOf } from '../../../src/segment/part-buffer.ts'
import {
  batch,
  LanePlace,
  type LanePlaceOptions,
  quiet,
  range,
  SEGMENT_AGE_MS,
} from '../../support/lane-place.ts'
import { message } from '../../support/messages.ts'

/** Of every message in these batches. */
const FRAME_BYTES = frameBytesOf(parcelBytes(message({ value: Buffer.from('value 0') })))

describe('a segment of a session is closed', () => {
  const sizes = (place: LanePlace) => place.runner.tasks.map(({ frameCount }) => frameCount)

  it.each([
    ['count', { segment: { messagesMax: 3 } }],
    ['size', { segment: { bytesMax: 3 * FRAME_BYTES + SEGMENT_HEADER_BYTES } }],
    ['messages of its window', { window: { messagesMax: 3 } }],
    ['bytes of its window', { window: { bytesMax: 3 * FRAME_BYTES } }],
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
