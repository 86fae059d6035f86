/** Ticks off references: each message once, none beside. A byte a message. */
export class ReferenceTally {
  readonly #seen: readonly Uint8Array[]
  readonly #faults: string[] = []
  #references = 0

  /** How many messages each partition has, from offset 0. */
  constructor(countByPartition: readonly number[]) {
    this.#seen = countByPartition.map((count) => new Uint8Array(count))
  }

  /** References that were seen, whatever they name. */
  get references(): number {
    return this.#references
  }

  /** A reference names this message. */
  see(partition: number, offset: number): void {
    this.#references++
    const before = this.#seen[partition]?.[offset]
    if (before === 0) (this.#seen[partition] as Uint8Array)[offset] = 1
    else this.#faults.push(`${partition}@${offset} ${before === 1 ? 'twice' : 'unknown'}`)
  }

  /** What is wrong once all were seen; of each partition the first message that is missing. */
  faults(): string[] {
    const missing = this.#seen.flatMap((offsets, partition) => {
      const offset = offsets.indexOf(0)
      return offset === -1 ? [] : [`${partition}@${offset} missing`]
    })
    return [...this.#faults, ...missing]
  }
}
