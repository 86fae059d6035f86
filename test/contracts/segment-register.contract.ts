import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { messagesOf } from '../../src/mapping/mapped-messages.ts'
import type { SegmentKey } from '../../src/mapping/mapping-store.ts'
import type { SegmentRegister } from '../../src/mapping/segment-register.ts'
import {
  all,
  columnsOf,
  FIRST_WRITING,
  type MappingStoreParts,
  messagesFrom,
  rowsOf,
} from './mapping-store.contract.ts'

/** The register, and the store whose segments it knows. */
export interface SegmentRegisterParts extends MappingStoreParts {
  readonly register: SegmentRegister
}

const CREATED_AT_MS = Date.UTC(2026, 2, 4, 23, 59, 59, 500)

/** What every segment register keeps to. `parts` is called inside the tests. */
export function segmentRegisterContract(parts: () => SegmentRegisterParts): void {
  const intend = async (dekId: string = randomUUID()) => {
    const intent = {
      ...{ dekId, segmentId: randomUUID() },
      ...{ objectKey: `segments/${dekId}.seal`, createdAtMs: CREATED_AT_MS },
    }
    await parts().writer.recordIntent(intent)
    return intent
  }
  const entryOf = async ({ segmentId }: SegmentKey) => {
    const found = await all(parts().register.segments())
    return found.filter((one) => one.segmentId === segmentId)
  }

  test('the register tells the segments of every DEK, each once, over several pages', async () => {
    const deks = Array.from({ length: 6 }, () => randomUUID())
    const intents = []
    for (const dekId of deks) {
      const more = Array.from({ length: 1_000 }, () => intend(dekId))
      intents.push(...(await Promise.all(more)))
    }
    const found = await all(parts().register.segments())
    const ours = found.filter(({ dekId }) => deks.some((one) => one === dekId))
    const ids = (of: readonly SegmentKey[]) => of.map(({ segmentId }) => segmentId).toSorted()
    expect(ids(ours)).toEqual(ids(intents))
    expect(ours[0]).toMatchObject({ createdAtMs: CREATED_AT_MS, state: 'intended' })
  })

  test('the register leaves out marks whose intent is not on record', async () => {
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    await parts().writer.recordPublished(segment, CREATED_AT_MS)
    expect(await entryOf(segment)).toEqual([])
    await parts().register.markSwept(segment, CREATED_AT_MS)
    expect(await entryOf(segment)).toEqual([])
  })

  test('a swept segment keeps its intent and its totals, and loses its rows', async () => {
    const { register, writer, reader } = parts()
    const intent = await intend()
    const other = await intend(intent.dekId)
    for (const one of [intent, other]) {
      await writer.writeRows(one, one.objectKey, columnsOf(messagesFrom(0, 300)))
    }
    const totals = { messageCount: 300, bytes: 30_000, sealedAtMs: CREATED_AT_MS }
    await writer.recordSealed({ ...intent, ...totals })
    const sweptAtMs = CREATED_AT_MS + 5_000
    await register.markSwept(intent, sweptAtMs)
    await register.markSwept(intent, sweptAtMs)
    const known = { ...intent, ...FIRST_WRITING, rowsDekId: intent.dekId }
    const swept = { ...known, state: 'swept', sweptAtMs, ...totals }
    expect(await entryOf(intent)).toEqual([swept])
    const ofDek = await all(reader.segmentsOfDek(intent.dekId))
    expect(ofDek).toContainEqual(swept)
    expect(ofDek).toContainEqual(expect.objectContaining({ ...other, state: 'intended' }))
    expect(await all(messagesOf(reader, rowsOf(intent)))).toEqual([])
    expect(await all(messagesOf(reader, rowsOf(other)))).toHaveLength(300)
  })

  test('what a writer brings late is on record again, and can be swept again', async () => {
    const { register, writer, reader } = parts()
    const intent = await intend()
    await register.markSwept(intent, CREATED_AT_MS)
    await writer.recordIntent(intent)
    await writer.writeRows(intent, intent.objectKey, columnsOf(messagesFrom(0, 3)))
    await writer.recordSealed({ ...intent, messageCount: 3, bytes: 300, sealedAtMs: CREATED_AT_MS })
    expect(await entryOf(intent)).toEqual([expect.objectContaining({ state: 'swept' })])
    expect(await all(messagesOf(reader, rowsOf(intent)))).toHaveLength(3)
    await register.markSwept(intent, CREATED_AT_MS + 1)
    expect(await entryOf(intent)).toEqual([
      expect.objectContaining({ sweptAtMs: CREATED_AT_MS + 1 }),
    ])
    expect(await all(messagesOf(reader, rowsOf(intent)))).toEqual([])
  })

  test('a published mark shows through that of a sweep', async () => {
    const { register, writer } = parts()
    const intent = await intend()
    await register.markSwept(intent, CREATED_AT_MS)
    await writer.recordPublished(intent, CREATED_AT_MS)
    expect(await entryOf(intent)).toEqual([
      expect.objectContaining({ state: 'published', sweptAtMs: CREATED_AT_MS }),
    ])
  })
}
