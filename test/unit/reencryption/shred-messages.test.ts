import { beforeEach, describe, expect, it, test } from 'vitest'
import { nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import { isSealError } from '../../../src/errors.ts'
import type { SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { reencryptSegment } from '../../../src/reencryption/segment-reencryption.ts'
import { shredMessages } from '../../../src/reencryption/shred-messages.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'
import type { AtEffect } from '../../support/told-effects.ts'

class Killed extends Error {}

let place: ReencryptionPlace
let entry: SegmentEntry

async function seal(): Promise<void> {
  place = new ReencryptionPlace()
  entry = await place.seal(messages(6, { partition: 0 }))
  const { rows } = place.segments[0] as (typeof place.segments)[number]
  await place.mapping.recordPlaces(entry, rows)
}

beforeEach(seal)

function shred(firstOffset: number, lastOffset: number, atEffect: AtEffect = () => {}) {
  const { topic, partition } = (place.segments[0] as (typeof place.segments)[number])
    .messages[0] as {
    topic: string
    partition: number
  }
  const services = { ...place.services(atEffect), engine: nodeEngine }
  const range = { topic, partition, firstOffset, lastOffset }
  return shredMessages(services, place.mapping, range, place.stop.signal)
}

/** By message: the code of what became of it, or `open`. */
async function opened(): Promise<string[]> {
  const references = place.segments.flatMap((one) => one.references)
  const outcomes = await place.reader.tryReferences(references)
  return outcomes.map((one) => (isSealError(one) ? one.code : 'open'))
}

const offsetAt = (index: number) => place.segments[0]?.messages[index]?.offset as number
const HALF = ['open', 'SEAL_SHREDDED', 'SEAL_SHREDDED', 'open', 'open', 'open']

describe('messages that are shredded inside of a segment', () => {
  it('are told as such; all others open by the references that they had', async () => {
    const before = place.store.objects.get(entry.objectKey)?.bytes.length
    expect(await shred(offsetAt(1), offsetAt(2))).toEqual({
      ...{ segments: 1, messages: 2, unpublished: [], gone: 0, remaining: [] },
    })
    expect(await opened()).toEqual(HALF)
    expect(place.store.objects.get(entry.objectKey)?.bytes.length).toBe(before)
    // Nothing of the ciphertext of before is left.
    expect(await all(place.inventory.objects('sealed/segments/'))).toHaveLength(1)
    expect((await place.entries(entry.dekId)).map(({ state }) => state)).toEqual(['replaced'])
  })

  it('may be one message, again, and others after', async () => {
    await shred(offsetAt(1), offsetAt(1))
    const tasks = place.tasks.length
    await shred(offsetAt(1), offsetAt(1))
    expect(place.tasks.length).toBe(tasks)
    await shred(offsetAt(2), offsetAt(2))
    expect(await opened()).toEqual(HALF)
  })

  it('stay shredded when the segment is re-encrypted', async () => {
    await shred(offsetAt(1), offsetAt(2))
    const [moved] = (await all(place.mapping.segments())).filter((one) => one.state === 'published')
    await reencryptSegment(place.services(), moved as SegmentEntry)
    expect(await opened()).toEqual(HALF)
  })

  it('are shredded also when somebody re-encrypts the segment meanwhile', async () => {
    let isDone = false
    await shred(offsetAt(1), offsetAt(2), async (name) => {
      if (isDone || name !== 'before store.put') return
      isDone = true
      await reencryptSegment(place.services(), entry)
    })
    expect([isDone, await opened()]).toEqual([true, HALF])
  })

  it('leave a version that the store keeps, which is told', async () => {
    const [version] = await all(place.inventory.objects(entry.objectKey))
    place.inventory.retained.set(version?.versionId ?? '', place.clock.nowMs() + 60_000)
    const untilMs = place.clock.nowMs() + 60_000
    const copy = { object: entry.objectKey, versionId: null, dekId: entry.dekId, untilMs }
    expect((await shred(offsetAt(1), offsetAt(2))).remaining).toEqual([copy])
    expect(await opened()).toEqual(HALF)
  })

  it('are not known when nothing is on record of them', async () => {
    await expect(shred(1_000_000, 1_000_001)).rejects.toMatchObject({ code: 'SEAL_SOURCE_UNKNOWN' })
  })

  it('are named, and left, in a segment that is not published', async () => {
    place.mapping.lose(entry, 'publishedAtMs')
    const outcome = await shred(offsetAt(1), offsetAt(2))
    expect(outcome).toMatchObject({ segments: 0, unpublished: [entry.objectKey] })
  })
})

test('a shredding of messages that is killed anywhere is taken up and comes to the same end', async () => {
  const names: string[] = []
  await shred(offsetAt(1), offsetAt(2), (name) => void names.push(name))
  expect(names.length).toBeGreaterThan(12)
  for (const [at, name] of names.entries()) {
    await seal()
    let left = at
    const dying = shred(offsetAt(1), offsetAt(2), () => {
      if (left-- <= 0) throw new Killed(name)
    })
    await expect(dying).rejects.toBeInstanceOf(Killed)
    const codes = await opened()
    expect([HALF, HALF.map(() => 'open')], name).toContainEqual(codes)
    await shred(offsetAt(1), offsetAt(2))
    expect(await opened(), name).toEqual(HALF)
    expect(await all(place.inventory.objects('sealed/segments/')), name).toHaveLength(1)
    const states = (await place.entries(entry.dekId)).map(({ state }) => state)
    expect(states, name).toEqual(['replaced'])
  }
})
