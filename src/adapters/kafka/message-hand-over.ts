import type { Clock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import { beating } from '../../pipeline/beating.ts'

/** An item that was handed over; `done` lets its giver go on. */
export interface Taken<T> {
  readonly item: T
  readonly done: () => void
}

interface Offer<T> extends Taken<T> {
  readonly refuse: (error: unknown) => void
}

/** Where handlers that are called meet somebody who asks: each giver waits until its item is done with. */
export class MessageHandOver<T> {
  readonly #clock: Clock
  readonly #offers: Offer<T>[] = []
  /** The offer that was taken last and is not done with. */
  #taken: Offer<T> | null = null
  #arrival = Promise.withResolvers<void>()
  #isOver = false
  #failure: unknown = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when the item is done with, heart beating until then. Rejects when nobody takes it any more. */
  async put(item: T, heartbeat: () => Promise<void>): Promise<void> {
    if (this.#isOver) throw nobodyTakes()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const offer = { item, done: resolve, refuse: reject }
    this.#offers.push(offer)
    this.#arrival.resolve()
    try {
      await beating(promise, heartbeat, this.#clock)
    } finally {
      const at = this.#offers.indexOf(offer)
      if (at >= 0) this.#offers.splice(at, 1)
    }
  }

  /** The next item, as soon as there is one; null at the end. Throws what the giving failed with. */
  async take(): Promise<Taken<T> | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      if (this.#isOver) return null
      this.#taken = this.#offers.shift() ?? null
      if (this.#taken !== null) return this.#taken
      this.#arrival = Promise.withResolvers<void>()
      await this.#arrival.promise
    }
  }

  /** Takes nothing more, and refuses what is not done with. */
  end(): void {
    this.#isOver = true
    this.#taken?.refuse(nobodyTakes())
    for (const { refuse } of this.#offers) refuse(nobodyTakes())
    this.#arrival.resolve()
  }

  /** Ends with an error for whoever takes. */
  fail(error: unknown): void {
    this.#failure = error
    this.end()
  }
}

function nobodyTakes(): SealError {
  return new SealError('SEAL_STOPPED', 'nobody takes messages any more')
}
