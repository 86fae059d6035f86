import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Cost } from './measure.ts'

/** What one way to seal costs at one size, in CPU microseconds a frame. */
export interface CipherRow {
  readonly parcelBytes: number
  readonly arm: string
  readonly seal: Cost
  readonly open: Cost
}

const BASELINE = 'openssl engine'

/** Measures every way to seal in one worker thread, where the road seals, in one run. */
export async function cipher(repeats: number): Promise<CipherRow[]> {
  const worker = new Worker(new URL('./cipher-worker.ts', import.meta.url), {
    workerData: { repeats },
  })
  const [rows] = await once(worker, 'message')
  await worker.terminate()
  return rows as CipherRow[]
}

/** The rows as a table for a terminal. "x" is the ratio to the OpenSSL engine of the same size. */
export function renderCipher(rows: readonly CipherRow[]): string {
  const heads = (what: string) => `${what.padStart(11)}   ${'spread'.padEnd(21)}${'x'.padStart(8)}`
  const title = `${'parcel'.padStart(9)}  ${'cipher'.padEnd(30)}${heads('seal, us')}${heads('open, us')}`
  const lines = rows.map((row) => {
    const base = rows.find(
      ({ arm, parcelBytes }) => arm === BASELINE && parcelBytes === row.parcelBytes,
    )
    const size = `${String(row.parcelBytes).padStart(7)} B`
    const cells = `${cellOf(row.seal, base?.seal)}${cellOf(row.open, base?.open)}`
    return `${size}  ${row.arm.padEnd(30)}${cells}`
  })
  return `${[title, ...lines].join('\n')}\n`
}

function cellOf({ medianUs, minUs, maxUs }: Cost, base: Cost | undefined): string {
  const spread = `${minUs.toFixed(2)} to ${maxUs.toFixed(2)}`
  const ratio = base === undefined ? '' : (medianUs / base.medianUs).toFixed(1)
  return `${medianUs.toFixed(2).padStart(11)}   ${spread.padEnd(21)}${ratio.padStart(8)}`
}
