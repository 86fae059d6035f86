import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { DekEntry } from '../../src/mapping/mapping-store.ts'
import type { RotationLog, RotationRound } from '../../src/mapping/rotation-log.ts'
import { all, dekRecord, type MappingStoreParts } from './mapping-store.contract.ts'

/** The log of rotations, and the store whose DEKs it speaks of. */
export interface RotationLogParts extends Pick<MappingStoreParts, 'keys'> {
  readonly rotation: RotationLog
}

const DAY_MS = 86_400_000
const NOON_MS = Date.UTC(2026, 2, 4, 12)
const TOTALS = { segments: 3, messages: 2 ** 33, bytes: 2 ** 43 }
const NOTHING = { segments: 0, messages: 0, bytes: 0 }

/** What every {@link RotationLog} keeps to. `parts` is called inside the tests. */
export function rotationLogContract(parts: () => RotationLogParts): void {
  /** DEKs of a domain of its own, one a day from noon on. */
  const deksOfDays = async (days: number) => {
    const keyDomain = `aged/${randomUUID()}`
    const deks: DekEntry[] = []
    for (let day = 0; day < days; day++) {
      const dek = dekRecord({ keyDomain, createdAtMs: NOON_MS + day * DAY_MS })
      await parts().keys.recordDek(dek)
      const { wrapped: _, ...entry } = dek
      deks.push(entry)
    }
    return { keyDomain, deks }
  }
  const aged = (keyDomain: string, beforeMs = NOON_MS + 100 * DAY_MS) =>
    all(parts().rotation.agedDeks(keyDomain, beforeMs))
  const idsOf = (deks: readonly DekEntry[]) => deks.map(({ dekId }) => dekId)

  test('aged DEKs come oldest first, to the millisecond, with what is noted of each', async () => {
    const { rotation } = parts()
    const { keyDomain, deks } = await deksOfDays(3)
    const [first, second, third] = deks as [DekEntry, DekEntry, DekEntry]
    expect(await aged(keyDomain)).toEqual(
      deks.map((dek) => ({ ...dek, orderedAtMs: null, done: null })),
    )
    expect(idsOf(await aged(keyDomain, third.createdAtMs))).toEqual(idsOf([first, second]))
    expect(await aged(keyDomain, third.createdAtMs + 1)).toHaveLength(3)
    await rotation.recordOrdered(first, NOON_MS)
    await rotation.recordDone(second, TOTALS, NOON_MS)
    expect(await aged(keyDomain, third.createdAtMs)).toEqual([
      { ...first, orderedAtMs: NOON_MS, done: null },
      { ...second, orderedAtMs: null, done: TOTALS },
    ])
    expect(await aged(randomUUID())).toEqual([])
  })

  test('closed days are left out and summed up once, until all are opened again', async () => {
    const { rotation } = parts()
    const { keyDomain, deks } = await deksOfDays(3)
    for (const dek of deks) await rotation.recordDone(dek, TOTALS, NOON_MS)
    expect(await rotation.closedTotals(keyDomain)).toEqual(NOTHING)
    await rotation.closeDays(keyDomain, NOON_MS + DAY_MS)
    await rotation.closeDays(keyDomain, NOON_MS + DAY_MS)
    expect(idsOf(await aged(keyDomain))).toEqual(idsOf(deks.slice(2)))
    const twice = { segments: 6, messages: 2 ** 34, bytes: 2 ** 44 }
    expect(await rotation.closedTotals(keyDomain)).toEqual(twice)
    await rotation.closeDays(keyDomain, NOON_MS)
    expect(await rotation.closedTotals(keyDomain)).toEqual(twice)
    await rotation.reopen()
    expect(await aged(keyDomain)).toEqual(
      deks.map((dek) => ({ ...dek, orderedAtMs: null, done: null })),
    )
    expect(await rotation.closedTotals(keyDomain)).toEqual(NOTHING)
  })

  test('the latest round is the one that was recorded last', async () => {
    const { rotation } = parts()
    const round: RotationRound = {
      ...{ startedAtMs: NOON_MS, countedAtMs: NOON_MS + 1, olderThanMs: 90 * DAY_MS },
      ...{ isOpen: true, due: TOTALS, oldestAtMs: NOON_MS - DAY_MS },
    }
    await rotation.recordRound(round)
    expect(await rotation.latestRound()).toEqual(round)
    const ended = { ...round, isOpen: false, due: NOTHING, oldestAtMs: null }
    await rotation.recordRound(ended)
    expect(await rotation.latestRound()).toEqual(ended)
  })

  test('one holds the lease, until its time is over or it gives it back', async () => {
    const { rotation } = parts()
    expect(await rotation.hold('a', 60_000)).toBe(true)
    expect(await rotation.hold('b', 60_000)).toBe(false)
    await rotation.release('b')
    expect(await rotation.hold('b', 60_000)).toBe(false)
    expect(await rotation.hold('a', 1_000)).toBe(true)
    await expect.poll(() => rotation.hold('b', 60_000), { timeout: 20_000 }).toBe(true)
    expect(await rotation.hold('a', 60_000)).toBe(false)
    await rotation.release('b')
    expect(await rotation.hold('a', 1_000)).toBe(true)
    await rotation.release('a')
  })
}
