import { describe, expect, it } from 'vitest'
import { decodeMetadata } from '../../../src/format/segment-metadata.ts'
import { DekCache } from '../../../src/keys/dek-cache.ts'
import { emptyDirectory } from '../../support/empty-directory.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { batch, LanePlace, quiet, SEGMENT_AGE_MS } from '../../support/lane-place.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { message } from '../../support/messages.ts'
import { KEK_ID, makeDek, prepareSegment } from '../../support/sealed-segment.ts'

const HOUR_MS = 3_600_000
const WINDOW_MS = 60_000
const jumps = [
  ['an hour forward', [HOUR_MS]],
  ['an hour back', [-HOUR_MS]],
  ['an hour forward, and back again', [HOUR_MS, -HOUR_MS]],
] as const

/** Packs the next message and publishes it; resolves to how many DEKs have been used by then. */
async function seal(
  place: LanePlace,
  session: Awaited<ReturnType<LanePlace['session']>>,
  offset: number,
): Promise<number> {
  expect(await session.accept(batch(offset, offset + 1), quiet)).toBe(true)
  await place.clock.step(SEGMENT_AGE_MS)
  expect(place.sink.offsets()).toHaveLength(offset + 1)
  return place.messagesByDek().size
}

describe.each(jumps)('a wall clock that is set %s', (_, steps) => {
  it('neither ends a window nor lengthens it, and segments close at their age', async () => {
    const place = new LanePlace({ window: { ageMs: WINDOW_MS, outageFactor: 1 } })
    const session = await place.session(0)
    expect(await seal(place, session, 0)).toBe(1)
    let offset = 1
    for (const ms of steps) {
      place.clock.setWallForward(ms)
      expect(await seal(place, session, offset++)).toBe(1)
    }
    await place.clock.step(WINDOW_MS)
    expect(await seal(place, session, offset)).toBe(2)
  })

  it('leaves the keys of a reader their time', async () => {
    const kms = new FakeKms(KEK_ID)
    const clock = new ManualClock()
    const ttlMs = 1_000
    const cache = new DekCache({ kms, directory: emptyDirectory }, clock, {
      allowedKekIds: [KEK_ID],
      entriesMax: 10,
      ttlMs,
    })
    const metadata = decodeMetadata(prepareSegment(await makeDek(kms), [message()]).metadata)
    const use = async () => (await cache.dekOf(metadata)).release()
    await use()
    for (const ms of steps) {
      clock.setWallForward(ms)
      await use()
    }
    expect(kms.calls.unwrap).toBe(1)
    clock.advance(ttlMs)
    await use()
    expect(kms.calls.unwrap).toBe(2)
  })
})
