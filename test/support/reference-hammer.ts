import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import { comparable } from './messages.ts'
import type { OpenedReference } from './sealed-proof.ts'
import type { SealingPlace } from './sealing-place.ts'

/** What readers met who opened references at random. */
export interface HammerOutcome {
  readonly opened: number
  /** Readings that failed, or gave other bytes than before. */
  readonly failures: readonly unknown[]
}

const READERS = 3
const REFERENCES_AT_ONCE = 20

/** Opens references at random until the function that it returns is called, which tells the outcome. */
export function hammerReferences(
  place: SealingPlace,
  opened: readonly OpenedReference[],
): () => Promise<HammerOutcome> {
  const reader = place.reader()
  const stop = new AbortController()
  const outcome = { opened: 0, failures: [] as unknown[] }
  const one = () => opened[randomInt(opened.length)] as OpenedReference
  const run = async () => {
    while (!stop.signal.aborted) {
      const some = Array.from({ length: REFERENCES_AT_ONCE }, one)
      try {
        const found = await reader.openReferences(some.map(({ reference }) => reference))
        expect(found.map(comparable)).toEqual(some.map(({ message }) => comparable(message)))
        outcome.opened += found.length
      } catch (error) {
        outcome.failures.push(error)
      }
    }
  }
  const done = Promise.all(Array.from({ length: READERS }, run))
  return async () => {
    stop.abort()
    await done
    await reader.close()
    return outcome
  }
}
