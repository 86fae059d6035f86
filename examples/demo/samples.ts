const KEPT_MAX = 48
const SAMPLE_BYTES_MIN = 24
const SAMPLE_BYTES_MAX = 48
const DISTINCT_BYTES_MIN = 10

/**
 * Picks pieces of plaintext to look for later, spread evenly over messages whose number nobody
 * knows beforehand: every n-th one, and n doubles (every second piece is dropped) when it is full.
 */
export class SamplePicker {
  #kept: { readonly index: number; readonly sample: Buffer }[] = []
  #stride = 1
  #index = -1

  /** A message was produced. The value is copied where it is kept. */
  offer(value: Buffer | null): void {
    this.#index += 1
    if (value === null || this.#index % this.#stride !== 0) return
    const sample = sampleOf(value)
    if (sample === null) return
    this.#kept.push({ index: this.#index, sample })
    if (this.#kept.length <= KEPT_MAX) return
    this.#stride *= 2
    this.#kept = this.#kept.filter(({ index }) => index % this.#stride === 0)
  }

  get samples(): readonly Buffer[] {
    return this.#kept.map(({ sample }) => sample)
  }
}

/** The middle of a value, or null when it is too short or too plain to be told from noise. */
export function sampleOf(value: Buffer): Buffer | null {
  if (value.length < SAMPLE_BYTES_MIN) return null
  const bytes = Math.min(value.length, SAMPLE_BYTES_MAX)
  const begin = (value.length - bytes) >> 1
  const sample = Buffer.from(value.subarray(begin, begin + bytes))
  return new Set(sample).size < DISTINCT_BYTES_MIN ? null : sample
}
