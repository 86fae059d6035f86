import { join } from 'node:path'
import { sealInput } from './seal-input.ts'
import { accumulate } from './stream-inputs.ts'
import { negativeVectors } from './v1-faults.ts'
import { POSITIVE_INPUTS } from './v1-inputs.ts'
import {
  type AccumulatedVector,
  type PositiveVector,
  V1_FOLDER,
  writeOnce,
} from './vector-files.ts'

/** The positive vectors of v1 as the product makes them now. */
export function positiveVectors(): PositiveVector[] {
  return POSITIVE_INPUTS.map((named) => ({ ...named, output: sealInput(named.input) }))
}

/** The accumulated vector of v1 as the product makes it now. Takes seconds. */
export function accumulatedVector(): AccumulatedVector {
  return {
    about: 'SHA-256 over the first 1,000 and 10,000 objects made of the SHAKE-128 stream',
    sha256: { 1000: accumulate(1_000), 10000: accumulate(10_000) },
  }
}

/** Writes the vectors that are not there yet; files that exist are frozen and stay as they are. */
function main(): void {
  const kinds = { positive: positiveVectors(), negative: negativeVectors() }
  for (const [kind, vectors] of Object.entries(kinds)) {
    for (const vector of vectors) writeOnce(join(V1_FOLDER, kind, `${vector.name}.json`), vector)
  }
  writeOnce(join(V1_FOLDER, 'accumulated.json'), accumulatedVector())
}

if (import.meta.main) main()
