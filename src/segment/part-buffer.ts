import { FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, writeFrameHeader } from '../format/frame.ts'
import type { Message } from '../format/message.ts'
import { writeParcel } from '../format/parcel.ts'
import type { BufferPool } from './buffer-pool.ts'

const FIRST_CAPACITY_BYTES = 16 * 1024
/** What has grown so far will most likely be full: doubling on would copy it once more. */
const GROWN_BYTES = 1024 * 1024

/** A part ready for its worker. The buffer is handed over: whoever takes the task owns it. */
export interface FilledPart {
  readonly buffer: ArrayBuffer
  /** Bytes used, from 0. */
  readonly size: number
  /** Where the first frame begins: behind the segment header in the first part, else 0. */
  readonly framesAt: number
  readonly frameCount: number
}

/**
 * The growing buffer of one part: every message is written once, at its final place, with room for
 * its tag; the worker seals it there. It begins small and doubles, so a quiet
 * topic holds little memory; what is large grows to its full size at once.
 */
export class PartBuffer {
  readonly #framesAt: number
  readonly #bytesMax: number
  readonly #buffers: BufferPool
  #bytes: Buffer
  #size: number
  #frameCount = 0

  /**
   * `head` (the segment header, or nothing) is copied to the front. Growing ends at `bytesMax`;
   * beyond it the buffer grows only as far as a single large message needs. A part behind a full one
   * begins as large. Memory comes from `buffers`, and what the part grows out of goes back there.
   */
  constructor(head: Uint8Array, bytesMax: number, buffers: BufferPool, isBehindFull = false) {
    this.#framesAt = head.length
    this.#size = head.length
    this.#bytesMax = bytesMax
    this.#buffers = buffers
    this.#bytes = Buffer.from(buffers.take(isBehindFull ? bytesMax : FIRST_CAPACITY_BYTES))
    this.#bytes.set(head)
  }

  get size(): number {
    return this.#size
  }

  get frameCount(): number {
    return this.#frameCount
  }

  /** Appends one message as an unsealed frame of `frameBytes` and returns its position here. */
  append(message: Message, frameBytes: number, seq: number, source: number): number {
    const at = this.#size
    this.#ensure(at + frameBytes)
    writeFrameHeader(this.#bytes, at, { frameBytes, seq, offset: message.offset, source })
    writeParcel(this.#bytes, at + FRAME_HEADER_BYTES, message)
    this.#size = at + frameBytes
    this.#frameCount++
    return at
  }

  /** Appends bytes that are no frame: the footer, behind the last one. */
  end(footer: Uint8Array): void {
    this.#ensure(this.#size + footer.length)
    this.#bytes.set(footer, this.#size)
    this.#size += footer.length
  }

  /** Hands the bytes over; the part buffer is of no use afterwards. */
  take(): FilledPart {
    const { buffer } = this.#bytes
    this.#bytes = Buffer.alloc(0)
    return {
      buffer: buffer as ArrayBuffer,
      size: this.#size,
      framesAt: this.#framesAt,
      frameCount: this.#frameCount,
    }
  }

  #ensure(capacity: number): void {
    if (capacity <= this.#bytes.length) return
    let doubled = this.#bytes.length
    // A power of two while it can be one: only such sizes are used again.
    while (doubled < capacity && doubled < this.#bytesMax) doubled *= 2
    doubled = doubled > GROWN_BYTES ? this.#bytesMax : Math.min(doubled, this.#bytesMax)
    const grown = Buffer.from(this.#buffers.take(Math.max(capacity, doubled)))
    this.#bytes.copy(grown, 0, 0, this.#size)
    this.#buffers.give(this.#bytes.buffer as ArrayBuffer)
    this.#bytes = grown
  }
}

/** Bytes of the frame around a parcel of `parcelBytes`. */
export function frameBytesOf(parcelBytes: number): number {
  return parcelBytes + FRAME_OVERHEAD_BYTES
}
