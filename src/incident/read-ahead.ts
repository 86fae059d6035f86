/** How far {@link readAhead} goes before it is asked. */
export interface AheadLimits {
  /** Items that are opened at a time. */
  readonly width: number
  /** Of each of them, what is held until its turn comes. */
  readonly held: number
}

/**
 * What every item opens to, in the order of the items, while those to come are read already. Held
 * are `width` times `held` at most. The first failure, in that order, ends it.
 */
export async function* readAhead<T, U>(
  items: AsyncIterable<T>,
  open: (item: T) => AsyncIterable<U>,
  { width, held }: AheadLimits,
): AsyncGenerator<U> {
  const source = items[Symbol.asyncIterator]()
  const running: Ahead<U>[] = []
  let isOver = false
  try {
    for (;;) {
      while (!isOver && running.length < width) {
        const next = await source.next()
        if (next.done) isOver = true
        else running.push(new Ahead(open(next.value), held))
      }
      const head = running[0]
      if (head === undefined) return
      yield* head.drain()
      running.shift()
    }
  } finally {
    await Promise.all(running.map((one) => one.close()))
    await source.return?.()
  }
}

/** Reads one iterable until it holds enough, and goes on as that is taken. */
class Ahead<U> {
  readonly #held: number
  readonly #ended: Promise<void>
  #items: U[] = []
  #changed = Promise.withResolvers<void>()
  #failure: { readonly error: unknown } | null = null
  #isOver = false
  #isClosed = false

  constructor(items: AsyncIterable<U>, held: number) {
    this.#held = held
    this.#ended = this.#read(items)
  }

  async *drain(): AsyncGenerator<U> {
    for (;;) {
      const items = this.#items
      if (items.length > 0) {
        this.#items = []
        this.#tell()
        yield* items
      } else if (this.#isOver) {
        if (this.#failure !== null) throw this.#failure.error
        return
      } else await this.#changed.promise
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#tell()
    await this.#ended
  }

  async #read(items: AsyncIterable<U>): Promise<void> {
    try {
      for await (const item of items) {
        this.#items.push(item)
        this.#tell()
        while (this.#items.length >= this.#held && !this.#isClosed) await this.#changed.promise
        if (this.#isClosed) return
      }
    } catch (error) {
      this.#failure = { error }
    } finally {
      this.#isOver = true
      this.#tell()
    }
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
