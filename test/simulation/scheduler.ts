/** Something that happens at a moment of virtual time, unless it is cancelled. */
export interface Happening {
  readonly atMs: number
  readonly order: number
  run: (() => void) | null
}

const soon = globalThis.setImmediate

/**
 * Runs all microtasks before it returns. Node has no public name for it; a turn of the event loop
 * instead takes ten times as long, which is most of a run.
 */
const drainMicrotasks = (process as unknown as { _tickCallback(): void })._tickCallback

/**
 * Virtual time. What is due runs one by one, in the order of time and then of scheduling; after each,
 * everything that follows without time is drained: microtasks, and what the product put off with
 * `setImmediate`. Only then does time move on. Nothing here depends on real time.
 */
export class Scheduler {
  #nowMs = 0
  #order = 0
  #isStopped = false
  readonly #heap: Happening[] = []
  readonly #putOff: (() => void)[] = []

  get nowMs(): number {
    return this.#nowMs
  }

  /** How many things have happened. */
  happened = 0

  at(delayMs: number, run: () => void): Happening {
    const atMs = this.#nowMs + Math.max(delayMs, 0)
    const happening = { atMs, order: this.#order++, run }
    this.#push(happening)
    return happening
  }

  cancel(happening: Happening): void {
    happening.run = null
  }

  /** Ends the run after what happens now. */
  stop(): void {
    this.#isStopped = true
  }

  /** Runs up to `endMs`, or until nothing is left or somebody stops it. */
  runUntil(endMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      soon(() => {
        const giveBack = this.#takeOverImmediates()
        try {
          this.#run(endMs)
          resolve()
        } catch (error) {
          reject(error)
        } finally {
          giveBack()
        }
      })
    })
  }

  #run(endMs: number): void {
    this.#drain()
    while (!this.#isStopped) {
      const next = this.#heap[0]
      if (next === undefined || next.atMs > endMs) break
      this.#pop()
      if (next.run === null) continue
      this.#nowMs = next.atMs
      this.happened++
      next.run()
      this.#drain()
    }
  }

  #drain(): void {
    for (;;) {
      drainMicrotasks()
      const next = this.#putOff.shift()
      if (next === undefined) return
      next()
    }
  }

  /** The product's own `setImmediate` is part of the schedule. */
  #takeOverImmediates(): () => void {
    const putOff = (run: (...given: unknown[]) => void, ...given: unknown[]) =>
      this.#putOff.push(() => run(...given))
    globalThis.setImmediate = putOff as unknown as typeof setImmediate
    return () => {
      globalThis.setImmediate = soon
    }
  }

  #push(happening: Happening): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(happening)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Happening
      if (!isBefore(happening, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = happening
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Happening
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (below >= heap.length) break
      const right = heap[below + 1]
      if (right !== undefined && isBefore(right, heap[below] as Happening)) below++
      const child = heap[below] as Happening
      if (!isBefore(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
