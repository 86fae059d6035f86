import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { FlawName } from './flaws.ts'
import type { FaultRates } from './network.ts'
import { traceOf } from './report.ts'
import { MODES } from './scenario.ts'
import { simulate } from './simulate.ts'

const SEEDS_TRACED = 8

describe('the road over a simulated world', () => {
  it('takes the same course for the same seed, and another for another', async () => {
    const hashes = new Set<string>()
    for (let seed = 1; seed <= SEEDS_TRACED; seed++) {
      const mode = MODES[seed % 2] ?? 'safety'
      const first = hashOf(await traceOf({ seed, mode }))
      expect(hashOf(await traceOf({ seed, mode }))).toBe(first)
      hashes.add(first)
    }
    expect(hashes.size).toBe(SEEDS_TRACED)
  })
})

/** What is wrong on purpose, the promise that it breaks, and how many seeds it may take to see it. */
const FLAWS: readonly [FlawName, RegExp, number][] = [
  ['opensWithoutFencing', /published (behind|twice)|is lost/, 100],
  ['readsOffsetsEarly', /published (behind|twice)|is lost/, 100],
  ['takesStaleBatches', /is lost/, 100],
  ['recordsIntentsLate', /before its intent/, 20],
  ['recordsDeksLate', /before its wrapped DEK/, 20],
  ['writesRowsLate', /without its mapping row/, 20],
  ['sealsAgain', /pair comes twice/, 20],
  ['reordersReferences', /published behind/, 20],
  ['stretchesWindows', /beyond (its hard limits|the hard age)/, 100],
  ['sweepsYoung', /swept|without its mapping row|is not there/, 400],
  ['endsForAnybody', /published (behind|twice)|is lost|another frame/, 200],
]

/** Requests take seconds, and some come long after everybody has given them up. */
const SLOW: FaultRates = { refused: 0, requestLost: 0, replyLost: 0, held: 0.02, slow: 0.6 }

describe('the simulation finds what', () => {
  it('endsAgain: a late end of one transaction tears the next one', async () => {
    const options = { mode: 'safety', flaw: 'endsAgain', kafkaRates: SLOW } as const
    for (let seed = 1; seed <= 600; seed++) {
      const { violation } = await simulate({ ...options, seed })
      if (violation === null) continue
      expect(violation).toMatch(/is lost|published (behind|twice)/)
      return
    }
    throw new Error('600 seeds do not show it')
  })

  it.each(FLAWS)('%s', async (flaw, promise, seedsMax) => {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const mode = MODES[seed % 2] ?? 'safety'
      const { violation } = await simulate({ seed, mode, flaw })
      if (violation === null) continue
      expect(violation).toMatch(promise)
      return
    }
    throw new Error(`${seedsMax} seeds do not show it`)
  })
})

function hashOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}
