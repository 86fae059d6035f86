import { keysAndFormat } from './keys-and-format.ts'
import type { Mutant } from './mutant.ts'
import { road } from './road.ts'
import { rotation } from './rotation.ts'

/** Every guard that is worth one: what is added to the product adds a line to one of the tables. */
export const mutants: readonly Mutant[] = [...keysAndFormat, ...road, ...rotation]
