import { beforeEach, expect, test } from 'vitest'
import type { ReferenceLog } from '../../src/incident/reference-log.ts'

/** A reference log of one partition, and what may befall it. Times are in milliseconds. */
export interface ReferenceLogUnderTest {
  readonly log: ReferenceLog
  /** Commits one value. */
  append(value: string, atMs: number): Promise<void>
  /** Opens a transaction with a value that stays uncommitted. */
  leaveOpen(value: string): Promise<void>
  /** Drops the oldest `count` values, as retention does. */
  drop(count: number): Promise<void>
}

const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2026, 0, 2)

/** What every {@link ReferenceLog} does. */
export function referenceLogContract(open: () => Promise<ReferenceLogUnderTest>): void {
  let place: ReferenceLogUnderTest
  beforeEach(async () => {
    place = await open()
  })

  const read = async (sinceMs: number) => {
    const values: string[] = []
    const { signal } = new AbortController()
    const take = (more: readonly Uint8Array[]) => values.push(...more.map((one) => String(one)))
    return { completeSinceMs: await place.log.read(sinceMs, take, signal), values }
  }
  const append = async (...names: string[]) => {
    for (const name of names) await place.append(name, START_MS + Number(name) * HOUR_MS)
  }

  test('an empty log is complete, and tells nothing', async () => {
    expect(await read(START_MS)).toEqual({ completeSinceMs: Number.NEGATIVE_INFINITY, values: [] })
  })

  test('all that was committed since a time is handed over, and it is certain', async () => {
    await append('1', '2', '3', '4')
    const all = await read(0)
    expect(all.values).toEqual(['1', '2', '3', '4'])
    expect(all.completeSinceMs).toBe(Number.NEGATIVE_INFINITY)
    const late = await read(START_MS + 3 * HOUR_MS)
    expect(late.values.filter((one) => Number(one) >= 3)).toEqual(['3', '4'])
    expect(late.completeSinceMs).toBe(Number.NEGATIVE_INFINITY)
    expect((await read(START_MS + 9 * HOUR_MS)).completeSinceMs).toBe(Number.NEGATIVE_INFINITY)
  })

  test('what was dropped is told by the time since which nothing is missing', async () => {
    await append('1', '2', '3', '4')
    await place.drop(2)
    expect(await read(START_MS)).toEqual({
      completeSinceMs: START_MS + 3 * HOUR_MS,
      values: ['3', '4'],
    })
    // Of what is asked for here, nothing is missing.
    expect((await read(START_MS + 4 * HOUR_MS)).completeSinceMs).toBe(Number.NEGATIVE_INFINITY)
  })

  test('of a log whose every reference was dropped nothing is certain', async () => {
    await append('1')
    await place.drop(1)
    expect(await read(START_MS)).toEqual({ completeSinceMs: Number.POSITIVE_INFINITY, values: [] })
  })

  test('an open transaction hides what follows, and nothing is certain then', async () => {
    await append('1')
    await place.leaveOpen('2')
    expect(await read(START_MS)).toEqual({
      completeSinceMs: Number.POSITIVE_INFINITY,
      values: ['1'],
    })
  })
}
