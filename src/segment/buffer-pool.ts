/**
 * Buffers that parts have grown out of, or that were sealed and sent, to be used again: fresh memory
 * costs the system a page fault for every 4 KiB, which for large buffers is more than packing itself.
 * A buffer keeps the bytes of its last use. Only sizes are kept that parts ask for again and again.
 */
export class BufferPool {
  readonly #idleBytesMax: number
  readonly #idle = new Map<number, ArrayBuffer[]>()
  #idleBytes = 0

  /** Keeps at most so many bytes that nobody uses. 0 keeps nothing. */
  constructor(idleBytesMax: number) {
    this.#idleBytesMax = idleBytesMax
  }

  /** A buffer of exactly `bytes`, which is the caller's. */
  take(bytes: number): ArrayBuffer {
    const found = this.#idle.get(bytes)?.pop()
    if (found === undefined) return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer
    this.#idleBytes -= bytes
    return found
  }

  /** Takes a buffer over that was taken here; nobody else may use it afterwards. */
  give(buffer: ArrayBuffer): void {
    const bytes = buffer.byteLength
    const isRegular = bytes > 0 && (bytes & (bytes - 1)) === 0
    if (!isRegular || this.#idleBytes + bytes > this.#idleBytesMax) return
    const idle = this.#idle.get(bytes)
    if (idle === undefined) this.#idle.set(bytes, [buffer])
    else idle.push(buffer)
    this.#idleBytes += bytes
  }
}
