import { inspect } from 'node:util'
import { SealError } from '../errors.ts'

const LIVE_BYTES = 4
const LIVE = 1

/**
 * Key bytes: the one place where they rest. They lie in memory of their own outside the JavaScript
 * heap, so the garbage collector neither moves nor copies them, and it is shared memory, so that a
 * worker thread works on the same bytes and one wipe is a wipe everywhere. Can be neither printed
 * nor written out. Whoever made it owns it and disposes it, which zeroes the bytes at once.
 */
export class SecretBytes implements Disposable {
  readonly #memory: SharedArrayBuffer
  readonly #live: Int32Array
  readonly #bytes: Uint8Array

  private constructor(memory: SharedArrayBuffer) {
    this.#memory = memory
    this.#live = new Int32Array(memory, 0, 1)
    this.#bytes = new Uint8Array(memory, LIVE_BYTES)
  }

  /** Takes over `source`: it is copied and zeroed. */
  static takeFrom(source: Uint8Array): SecretBytes {
    const secret = new SecretBytes(new SharedArrayBuffer(LIVE_BYTES + source.length))
    secret.#bytes.set(source)
    source.fill(0)
    Atomics.store(secret.#live, 0, LIVE)
    return secret
  }

  /** The secret of another thread, which stays its owner. Throws SEAL_MALFORMED for other memory. */
  static borrow(memory: SharedArrayBuffer): SecretBytes {
    if (memory instanceof SharedArrayBuffer && memory.byteLength > LIVE_BYTES) {
      return new SecretBytes(memory)
    }
    throw new SealError('SEAL_MALFORMED', 'what should be key bytes is something else')
  }

  /** Number of bytes. */
  get length(): number {
    return this.#bytes.length
  }

  /** Whether they are zeroed. */
  get isWiped(): boolean {
    // Read by writing nothing into it: a mere load would not keep reads of the bytes before it on
    // processors that reorder.
    return Atomics.or(this.#live, 0, 0) !== LIVE
  }

  /** The memory itself, for {@link borrow} in another thread. Never print or copy it. */
  share(): SharedArrayBuffer {
    return this.#memory
  }

  /**
   * Gives the bytes to `use` for the time of the call: a view, to be neither kept nor copied. Throws
   * when they are wiped, and also when they were wiped in the meantime by another thread: a key of
   * zeros must not come out as a result.
   */
  reveal<T>(use: (bytes: Uint8Array) => T): T {
    this.#assertLive()
    const result = use(this.#bytes)
    this.#assertLive()
    return result
  }

  /** Zeroes the bytes. May be called again. */
  [Symbol.dispose](): void {
    // Before the bytes, so that whoever still finds the mark afterwards has read no zeros.
    Atomics.exchange(this.#live, 0, 0)
    this.#bytes.fill(0)
  }

  /** Nothing: key bytes are in no JSON. */
  toJSON(): undefined {
    return undefined
  }

  /** What a log or a debugger may see. */
  [inspect.custom](): string {
    return this.isWiped ? 'SecretBytes(wiped)' : 'SecretBytes'
  }

  #assertLive(): void {
    if (this.isWiped) throw new Error('key bytes are used after they were wiped')
  }
}
