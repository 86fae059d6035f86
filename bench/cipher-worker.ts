import { parentPort, workerData } from 'node:worker_threads'
import type { CipherRow } from './cipher.ts'
import { cipherArms } from './cipher-arms.ts'
import { measureInTurns } from './measure.ts'

/** Runs all ways to seal, one size after the other, and posts the rows. */
const PARCEL_BYTES = [100, 1024, 16 * 1024, 1024 * 1024]
/** What one run works on, where a frame is not too dear for so many. */
const RUN_BYTES = 4 * 1024 * 1024
const FRAMES_MIN = 8

async function rowsOf(parcelBytes: number, repeats: number): Promise<CipherRow[]> {
  const framesMax = Math.max(FRAMES_MIN, Math.floor(RUN_BYTES / (parcelBytes + 1024)))
  const arms = await cipherArms(parcelBytes, framesMax)
  const seals = arms.map(({ frames, seal }) => ({ run: seal, messages: frames }))
  const opens = arms.map(({ frames, open }) => ({ run: open, messages: frames }))
  // Sealing comes first: what is opened must have been sealed.
  const sealCosts = await measureInTurns(seals, repeats)
  const openCosts = await measureInTurns(opens, repeats)
  return arms.flatMap(({ name }, i) => {
    const [seal, open] = [sealCosts[i], openCosts[i]]
    return seal && open ? [{ parcelBytes, arm: name, seal, open }] : []
  })
}

const rows: CipherRow[] = []
for (const parcelBytes of PARCEL_BYTES) {
  rows.push(...(await rowsOf(parcelBytes, (workerData as { repeats: number }).repeats)))
}
parentPort?.postMessage(rows)
