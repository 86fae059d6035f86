import { expect } from 'vitest'
import { reportOf } from './report.ts'
import type { Mode } from './scenario.ts'
import { simulate } from './simulate.ts'

const SEEDS = 1_000

/** Runs the first seeds of a mode; fails with the report of the first that breaks a promise. */
export async function expectPromisesKept(mode: Mode): Promise<void> {
  let references = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await simulate({ seed, mode })
    if (result.violation !== null) throw new Error(await reportOf({ seed, mode }))
    references += result.references
  }
  // A world in which nothing gets through would keep every promise.
  expect(references).toBeGreaterThan(SEEDS * 20)
}
