/** Smaller responses are not worth keeping: fresh memory of their size costs little. */
const KEPT_BYTES_MIN = 256 * 1024
const STEP_BYTES = 1024 * 1024
/** Of several brokers one is taken over while another comes in. */
const KEPT_BUFFERS_MAX = 2
/** A buffer for a response may be so many times as long, so that it soon fits again. */
const SPARE_FACTOR = 2

/**
 * Memory of fetches, to be used again. Fresh memory costs the system a page fault for every 4 KiB, which
 * for messages of 1 KiB is more than all that is done with their bytes, and what was used stays
 * resident until the garbage collector comes by.
 *
 * Each set of records that is made of a response holds it; with the last one let go, its memory is
 * free. It is taken away from the views on it then, which are empty from now on and can neither be cut
 * nor copied from by `set`: nobody reads the bytes of a later fetch by mistake. A response that not all
 * let go is left to the garbage collector, as are those of partitions that are paused or sought meanwhile.
 */
export class ResponseMemory {
  readonly #holders = new WeakMap<ArrayBufferLike, number>()
  #kept: ArrayBuffer[] = []

  /** Room for a response of exactly `bytes`. */
  take(bytes: number): Buffer {
    const found = this.#kept.find(({ byteLength }) => isFit(byteLength, bytes))
    if (found !== undefined) {
      this.#kept = this.#kept.filter((kept) => kept !== found)
      return Buffer.from(found, 0, bytes)
    }
    if (bytes < KEPT_BYTES_MIN) return Buffer.allocUnsafeSlow(bytes)
    // Fetches are of about one size, never of exactly one.
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES).subarray(0, bytes)
  }

  /** One more set of records stands in the memory of `bytes`. */
  hold(bytes: Buffer): void {
    this.#holders.set(bytes.buffer, (this.#holders.get(bytes.buffer) ?? 0) + 1)
  }

  /** One of them is done with. Its messages, and every view on them, are void if it was the last. */
  letGo(bytes: Buffer): void {
    const holders = (this.#holders.get(bytes.buffer) ?? 0) - 1
    if (holders > 0) this.#holders.set(bytes.buffer, holders)
    if (holders !== 0) return
    this.#holders.delete(bytes.buffer)
    const { buffer } = bytes
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= KEPT_BYTES_MIN) {
      this.#keep(buffer.transfer())
    }
  }

  /** The last ones stay: fetches are as large as the ones before. */
  #keep(buffer: ArrayBuffer): void {
    this.#kept = [buffer, ...this.#kept].slice(0, KEPT_BUFFERS_MAX)
  }
}

function isFit(held: number, asked: number): boolean {
  return held >= asked && held <= asked * SPARE_FACTOR
}

/** Of all connections of this process. */
export const responseMemory = new ResponseMemory()
