import { createHash, randomBytes } from 'node:crypto'
import { measureInTurns } from '../measure.ts'

const HASHED = randomBytes(4 * 1024 * 1024)
const SORTED = Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 200_003)

/** CPU microseconds of work that no change of ours touches: what tells two machines apart. */
export async function calibration(repeats: number): Promise<readonly number[]> {
  const run = () => {
    createHash('sha256').update(HASHED).digest()
    SORTED.toSorted((a, b) => a - b)
  }
  const [cost] = await measureInTurns([{ run, messages: 1 }], repeats)
  return cost?.values ?? []
}
