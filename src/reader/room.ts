/** Gives back what was taken. To be called once. */
export type Release = () => void

interface Waiting {
  readonly amount: number
  readonly begin: () => void
}

/**
 * A bound on what goes on at once, in bytes or in requests. Whoever wants more than there is waits in
 * the order of coming; what is larger than the whole room gets in when it is alone.
 */
export class Room {
  readonly #max: number
  #taken = 0
  readonly #waiting: Waiting[] = []

  constructor(max: number) {
    this.#max = max
  }

  /** Resolves when there is room for `amount`. Rejects with the reason of `signal` if that aborts before. */
  async take(amount: number, signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted()
    if (this.#waiting.length > 0 || !this.#fits(amount)) await this.#turn(amount, signal)
    else this.#taken += amount
    return () => {
      this.#taken -= amount
      this.#letIn()
    }
  }

  #turn(amount: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(signal?.reason)
        this.#letIn()
      }
      const begin = () => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const waiting = { amount, begin }
      this.#waiting.push(waiting)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  #letIn(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#fits(next.amount)) return
      this.#waiting.shift()
      this.#taken += next.amount
      next.begin()
    }
  }

  #fits(amount: number): boolean {
    return this.#taken === 0 || this.#taken + amount <= this.#max
  }
}
