import { expect, test } from 'vitest'
import { decodeMetadata } from '../../../src/format/segment-metadata.ts'
import { messagesOf } from '../../../src/mapping/mapped-messages.ts'
import type { SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { reencryptAll } from '../../../src/reencryption/job.ts'
import { itemsInScope } from '../../../src/reencryption/plan.ts'
import { reencryptSegment } from '../../../src/reencryption/segment-reencryption.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'
import { makeDek } from '../../support/sealed-segment.ts'

class Killed extends Error {}

const dekOf = (place: ReencryptionPlace, { objectKey }: { objectKey: string }) =>
  decodeMetadata(place.store.objects.get(objectKey)?.metadata ?? {}).header.dekId

/** One part, and several. */
const CASES = [
  { partBytes: 1_000_000, steps: ['store.put'] },
  { partBytes: 200, steps: ['store.createUpload', 'store.uploadPart', 'store.completeUpload'] },
] as const

/** Where a process may die: at every effect, before it and after it. */
async function moments(partBytes: number): Promise<string[]> {
  const place = new ReencryptionPlace()
  const item = await place.seal(messages(5))
  const names: string[] = []
  const services = place.services((name) => void names.push(name), { partBytes })
  await reencryptSegment(services, item)
  return names
}

/** Whoever asks for the DEK that an object is under must find it, whatever has happened. */
async function expectClaimed(place: ReencryptionPlace, items: readonly SegmentEntry[]) {
  for (const item of items) {
    const dekId = dekOf(place, item)
    const entries = await place.entries(dekId)
    const claim = entries.find(({ segmentId }) => segmentId === item.segmentId)
    expect(['intended', 'sealed', 'published']).toContain(claim?.state)
    expect(await all(messagesOf(place.mapping, claim as SegmentEntry))).toHaveLength(5)
  }
}

test.each(CASES)(
  'killed at any moment, with $partBytes bytes a part: readable, claimed, and done by the next',
  async ({ partBytes, steps }) => {
    const names = await moments(partBytes)
    const effects = new Set(names.map((name) => name.slice(name.indexOf(' ') + 1)))
    expect([...effects]).toEqual([
      ...['kms.generateDataKey', 'keys.recordDek', 'replacements.recordReplacing', ...steps],
      ...['marks.recordSealed', 'marks.recordPublished', 'inventory.remove'],
      'replacements.recordReplaced',
    ])
    for (const [at, name] of names.entries()) {
      const place = new ReencryptionPlace()
      const item = await place.seal(messages(5))
      let left = at
      const dying = place.services(
        () => {
          // The dead do nothing more, whatever of them was under way beside it.
          if (left-- <= 0) throw new Killed(name)
        },
        { partBytes },
      )
      await expect(reencryptSegment(dying, item)).rejects.toBeInstanceOf(Killed)
      expect(await place.wrong(), name).toEqual([])
      await expectClaimed(place, [item])

      const outcome = await reencryptSegment(place.services(), item)
      expect(['moved', 'finished'], name).toContain(outcome.kind)
      expect(await place.wrong(), name).toEqual([])
      await expectClaimed(place, [item])
      expect(dekOf(place, item)).not.toBe(item.dekId)
      expect(await place.entries(item.dekId), name).toMatchObject([{ state: 'replaced' }])
      expect(await all(place.inventory.objects('')), name).toHaveLength(1)
    }
  },
)

test('every reference opens at every moment of a job over several segments', async () => {
  const place = new ReencryptionPlace()
  const dek = await makeDek(place.kms)
  for (let i = 0; i < 5; i++) await place.seal(messages(5), dek)
  const { dekId } = dek.record
  let looks = 0
  const services = place.services(async () => {
    looks++
    expect(await place.wrong()).toEqual([])
  })
  const sources = { mapping: place.mapping, rotation: place.rotation }
  const items = itemsInScope(sources, { dekId }, place.clock.nowMs())
  const { signal } = place.stop
  const done: string[] = []
  const outcome = await reencryptAll(services, items, {
    ...{ atOnce: 3, signal },
    onDone: ({ segmentId }) => void done.push(segmentId),
  })
  expect(looks).toBeGreaterThan(50)
  expect(outcome).toMatchObject({ moved: 5, messages: 25, failures: [], isStopped: false })
  expect(new Set(done).size).toBe(5)
  expect(await all(itemsInScope(sources, { dekId }, place.clock.nowMs()))).toEqual([])
})
