/** Lets calls pass, or holds them until it opens. Starts open. */
export class Gate {
  #isClosed = false
  #waiting: (() => void)[] = []

  /** Holds every call from now on. */
  close(): void {
    this.#isClosed = true
  }

  /** Lets the oldest held call pass; the gate stays closed. */
  passOne(): void {
    this.#waiting.shift()?.()
  }

  /** Lets everybody pass. */
  open(): void {
    this.#isClosed = false
    for (const pass of this.#waiting.splice(0)) pass()
  }

  /** Resolves when the caller may pass. */
  async pass(): Promise<void> {
    if (this.#isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
