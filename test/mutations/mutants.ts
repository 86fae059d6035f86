import { benchmarks } from './benchmarks.ts'
import { fewRequests } from './few-requests.ts'
import { incident } from './incident.ts'
import { keysAndFormat } from './keys-and-format.ts'
import { lookUps } from './look-ups.ts'
import { mapping } from './mapping.ts'
import type { Mutant } from './mutant.ts'
import { reading } from './reading.ts'
import { rebuild } from './rebuild.ts'
import { reencryption } from './reencryption.ts'
import { retirement } from './retirement.ts'
import { road } from './road.ts'
import { rotation } from './rotation.ts'

/** Every guard that is worth one: what is added to the product adds a line to one of the tables. */
export const mutants: readonly Mutant[] = [
  ...keysAndFormat,
  ...road,
  ...mapping,
  ...lookUps,
  ...rotation,
  ...reencryption,
  ...rebuild,
  ...reading,
  ...retirement,
  ...fewRequests,
  ...incident,
  ...benchmarks,
]
