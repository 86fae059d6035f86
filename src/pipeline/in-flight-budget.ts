interface Waiter {
  readonly bytes: number
  readonly admit: () => void
}

/**
 * One budget in bytes over everything that was read and is held in memory: frames in parts, parts in
 * workers until they are stored, references until their transaction. Whoever reads waits here, so that a
 * slow service slows the reading and memory stays bounded. Fair: first come, first served.
 */
export class InFlightBudget {
  readonly #bytesMax: number
  readonly #onChange: (bytes: number) => void
  readonly #waiters: Waiter[] = []
  #bytes = 0
  #isHeld = false

  /** `onChange` hears the new fill after every change. */
  constructor(bytesMax: number, onChange: (bytes: number) => void) {
    this.#bytesMax = bytesMax
    this.#onChange = onChange
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes `bytes`, and returns a promise only when it has to be waited for. More than the whole
   * budget is admitted when nothing else is in flight, so that nothing can block for good.
   */
  take(bytes: number): Promise<void> | null {
    if (this.#waiters.length === 0 && this.#admits(bytes)) {
      this.#change(bytes)
      return null
    }
    return new Promise((admit) => this.#waiters.push({ bytes, admit }))
  }

  /** Gives `bytes` back and admits who fits now. */
  release(bytes: number): void {
    this.#change(-bytes)
    this.#admitWaiters()
  }

  /**
   * While held, nothing more is admitted, but for what comes when nothing is in flight: so the road
   * never stands still.
   */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return
    this.#isHeld = isHeld
    this.#admitWaiters()
  }

  #admitWaiters(): void {
    for (let next = this.#waiters[0]; next && this.#admits(next.bytes); next = this.#waiters[0]) {
      this.#waiters.shift()
      this.#change(next.bytes)
      next.admit()
    }
  }

  #admits(bytes: number): boolean {
    if (this.#bytes === 0) return true
    return !this.#isHeld && this.#bytes + bytes <= this.#bytesMax
  }

  #change(bytes: number): void {
    this.#bytes += bytes
    this.#onChange(this.#bytes)
  }
}
