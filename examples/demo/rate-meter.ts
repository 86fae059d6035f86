/** Sooner than this after the first messages a rate is noise. */
const KNOWN_AFTER_MS = 300

/**
 * How fast a count grows. It begins with the first messages, which come in a lump: neither they nor
 * the start before them say anything of the rate.
 */
export class RateMeter {
  #first: { readonly value: number; readonly atMs: number } | null = null

  /** Takes the count of now. Gives messages a second, or null as long as nobody can know. */
  perSecond(value: number, nowMs: number): number | null {
    if (value === 0) return null
    this.#first ??= { value, atMs: nowMs }
    const elapsedMs = nowMs - this.#first.atMs
    const grown = value - this.#first.value
    return elapsedMs < KNOWN_AFTER_MS || grown === 0 ? null : (grown * 1000) / elapsedMs
  }
}
