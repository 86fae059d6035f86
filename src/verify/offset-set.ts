/** Offsets that follow each other, both ends included. */
export interface OffsetRange {
  readonly first: number
  readonly last: number
}

/**
 * A set of offsets, kept as ranges: a million lost messages in a row take as much room as one. Fast
 * where offsets come rising, as they do here but for what is wrong.
 */
export class OffsetSet {
  readonly #firsts: number[] = []
  readonly #lasts: number[] = []

  add(offset: number): void {
    const at = this.#indexAfter(offset)
    if (at > 0 && offset <= (this.#lasts[at - 1] as number)) return
    const touchesLower = at > 0 && this.#lasts[at - 1] === offset - 1
    const touchesUpper = this.#firsts[at] === offset + 1
    if (touchesLower && touchesUpper) {
      this.#lasts[at - 1] = this.#lasts[at] as number
      this.#firsts.splice(at, 1)
      this.#lasts.splice(at, 1)
    } else if (touchesLower) this.#lasts[at - 1] = offset
    else if (touchesUpper) this.#firsts[at] = offset
    else {
      this.#firsts.splice(at, 0, offset)
      this.#lasts.splice(at, 0, offset)
    }
  }

  has(offset: number): boolean {
    const at = this.#indexAfter(offset)
    return at > 0 && offset <= (this.#lasts[at - 1] as number)
  }

  /** Takes an offset out; false when it was not in. */
  delete(offset: number): boolean {
    if (!this.has(offset)) return false
    const at = this.#indexAfter(offset) - 1
    const first = this.#firsts[at] as number
    const last = this.#lasts[at] as number
    const left = [
      { first, last: offset - 1 },
      { first: offset + 1, last },
    ].filter((range) => range.first <= range.last)
    this.#firsts.splice(at, 1, ...left.map((range) => range.first))
    this.#lasts.splice(at, 1, ...left.map((range) => range.last))
    return true
  }

  get isEmpty(): boolean {
    return this.#firsts.length === 0
  }

  /** How many there are at or above `offset`. */
  countFrom(offset: number): number {
    let count = 0
    for (const { first, last } of this.ranges()) {
      if (last >= offset) count += last - Math.max(first, offset) + 1
    }
    return count
  }

  /** From the lowest to the highest. */
  *ranges(): Generator<OffsetRange> {
    for (const [i, first] of this.#firsts.entries()) yield { first, last: this.#lasts[i] as number }
  }

  /** How many ranges begin at or below `offset`. */
  #indexAfter(offset: number): number {
    let low = 0
    let high = this.#firsts.length
    if (high === 0 || offset >= (this.#firsts[high - 1] as number)) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#firsts[middle] as number) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
