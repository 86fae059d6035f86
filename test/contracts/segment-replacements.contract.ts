import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { messagesOf } from '../../src/mapping/mapped-messages.ts'
import type { SegmentReplacements } from '../../src/mapping/segment-replacements.ts'
import { all, columnsOf, messagesFrom } from './mapping-store.contract.ts'
import type { SegmentRegisterParts } from './segment-register.contract.ts'

/** The log of re-encryptions, and the store whose segments it speaks of. */
export interface SegmentReplacementsParts extends SegmentRegisterParts {
  readonly replacements: SegmentReplacements
}

const CREATED_AT_MS = Date.UTC(2026, 2, 4, 23, 59, 59, 500)
const BEGAN_AT_MS = CREATED_AT_MS + 1_000_000
const MESSAGES = messagesFrom(5, 4)

/** What every {@link SegmentReplacements} keeps to. `parts` is called inside the tests. */
export function segmentReplacementsContract(parts: () => SegmentReplacementsParts): void {
  const publish = async () => {
    const { writer } = parts()
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const objectKey = `segments/${segment.segmentId}.seal`
    await writer.recordIntent({ ...segment, objectKey, createdAtMs: CREATED_AT_MS })
    await writer.writeRows(segment, objectKey, columnsOf(MESSAGES))
    await writer.recordSealed({ ...segment, messageCount: 4, bytes: 999, sealedAtMs: BEGAN_AT_MS })
    await writer.recordPublished(segment, BEGAN_AT_MS)
    return { ...segment, objectKey, rowsDekId: segment.dekId }
  }
  const intentAfter = (old: Awaited<ReturnType<typeof publish>>) => ({
    ...old,
    ...{ dekId: randomUUID(), replacesDekId: old.dekId },
    ...{ createdAtMs: CREATED_AT_MS, beganAtMs: BEGAN_AT_MS },
  })
  const entryOf = async (dekId: string) => (await all(parts().reader.segmentsOfDek(dekId)))[0]

  test('both DEKs claim a segment from the intent on, with the same rows', async () => {
    const { replacements, reader, register } = parts()
    const old = await publish()
    const intent = intentAfter(old)
    await replacements.recordReplacing(intent)
    const entry = await entryOf(intent.dekId)
    expect(entry).toEqual({
      ...{ dekId: intent.dekId, segmentId: old.segmentId, objectKey: old.objectKey },
      ...{ createdAtMs: CREATED_AT_MS, rowsDekId: old.dekId, state: 'intended' },
      ...{ replaces: { dekId: old.dekId, atMs: BEGAN_AT_MS }, replaced: null, sweptAtMs: null },
      ...{ sealedAtMs: null, messageCount: null, bytes: null, successors: [] },
    })
    expect(await all(messagesOf(reader, entry as never))).toEqual(MESSAGES)
    expect(await entryOf(old.dekId)).toMatchObject({
      ...{ state: 'published', replaced: null, successors: [intent.dekId] },
    })
    const another = intentAfter(old)
    await replacements.recordReplacing(another)
    await replacements.recordReplacing(intent)
    const successors = (await entryOf(old.dekId))?.successors.toSorted()
    expect(successors).toEqual([intent.dekId, another.dekId].sort())
    const told = await all(register.segments())
    expect(told.filter(({ segmentId }) => segmentId === old.segmentId)).toHaveLength(3)
  })

  test('what was replaced keeps its totals and rows, and says by what and until when', async () => {
    const { replacements, reader, writer } = parts()
    const old = await publish()
    const intent = intentAfter(old)
    await replacements.recordReplacing(intent)
    await writer.recordPublished(intent, BEGAN_AT_MS)
    const replaced = { atMs: BEGAN_AT_MS, byDekId: intent.dekId }
    const retainedUntilMs = BEGAN_AT_MS + 5_000
    await replacements.recordReplaced(old, { ...replaced, retainedUntilMs })
    expect(await entryOf(old.dekId)).toMatchObject({
      ...{ state: 'replaced', messageCount: 4, bytes: 999 },
      replaced: { ...replaced, retainedUntilMs },
    })
    await replacements.recordReplaced(old, { ...replaced, retainedUntilMs: null })
    const entry = await entryOf(old.dekId)
    expect(entry).toMatchObject({ state: 'replaced', replaced: { retainedUntilMs: null } })
    expect(await all(messagesOf(reader, entry as never))).toEqual(MESSAGES)
    expect(await entryOf(intent.dekId)).toMatchObject({ state: 'published' })
  })

  test('a re-encryption that was given up protects nothing, and takes no rows along', async () => {
    const { replacements, reader, register } = parts()
    const old = await publish()
    const intent = intentAfter(old)
    await replacements.recordReplacing(intent)
    await register.markSwept(intent, BEGAN_AT_MS)
    const entry = await entryOf(intent.dekId)
    expect(entry).toMatchObject({ state: 'swept' })
    expect(await all(messagesOf(reader, entry as never))).toEqual([])
    expect(await all(messagesOf(reader, old))).toEqual(MESSAGES)
  })
}
