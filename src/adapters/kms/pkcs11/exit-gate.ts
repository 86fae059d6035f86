const IDLE = 0
const CALLING = 1
const SHUT = 2

/** Longer than a call of a healthy token takes; a process must not hang on one that is stuck. */
const WAIT_MS_MAX = 2_000

/**
 * Keeps the process from ending in the midst of a call to a module: the binding (pkcs11js) does not
 * survive that its thread is terminated meanwhile, and takes the process down with SIGSEGV.
 *
 *   idle -> calling -> idle -> shut
 *
 * The thread passes the gate around every call; whoever ends the process shuts it, for good.
 */
export class ExitGate {
  /** What both threads share. */
  readonly memory: SharedArrayBuffer
  readonly #state: Int32Array

  constructor(memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#state = new Int32Array(memory)
  }

  /** Makes `call`, or waits for the end of the process once the gate is shut. In the thread. */
  pass<T>(call: () => T): T {
    if (Atomics.compareExchange(this.#state, 0, IDLE, CALLING) === SHUT) {
      Atomics.wait(this.#state, 0, SHUT)
    }
    try {
      return call()
    } finally {
      Atomics.store(this.#state, 0, IDLE)
      Atomics.notify(this.#state, 0)
    }
  }

  /** Returns when no call is under way and none can begin, or the longest wait is over. */
  shut(): void {
    const endMs = performance.now() + WAIT_MS_MAX
    while (Atomics.compareExchange(this.#state, 0, IDLE, SHUT) === CALLING) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) return
      Atomics.wait(this.#state, 0, CALLING, leftMs)
    }
  }
}
