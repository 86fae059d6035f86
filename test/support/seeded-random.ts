/** Chance that the same seed repeats. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** At least 0, less than 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    const state = this.#state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** At least `min`, less than `max`. */
  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }

  /** A whole number from 0 up to, but without, `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** One of the entries, each as likely as its weight says. */
  weighted<T extends { readonly weight: number }>(entries: readonly T[]): T {
    let left = this.next() * entries.reduce((sum, { weight }) => sum + weight, 0)
    for (const entry of entries) {
      left -= entry.weight
      if (left < 0) return entry
    }
    return entries.at(-1) as T
  }
}
