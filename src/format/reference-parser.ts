import { SEGMENT_BYTES_MAX } from '../limits.ts'
import { FRAME_OVERHEAD_BYTES } from './frame.ts'
import { isReferenceList, parseReferences } from './reference-list.ts'
import {
  FRAME_BYTES_MAX,
  parseReference,
  type Reference,
  referenceHead,
} from './reference-value.ts'

const POSITION = Buffer.from(',"position":')
const LENGTH = Buffer.from(',"length":')
const [ZERO, NINE, END] = [0x30, 0x39, 0x7d]
/** One digit less than the largest safe integer has, so that none is lost. */
const DIGITS_MAX = 15

/**
 * Reads reference values that come one behind the other. Those of one segment and partition differ in
 * three numbers only: after the first of them, the rest is compared as bytes and the numbers are read
 * from where they stand. Whatever is not exactly that goes to {@link parseReference}, so that the two
 * never disagree.
 */
export class ReferenceParser {
  #head = Buffer.alloc(0)
  #last: Reference | null = null
  /** Where the number that was read last ended. */
  #at = 0

  /** As {@link parseReferences}, of which the same holds. */
  parseAll(value: Uint8Array | string | Reference): readonly Reference[] {
    return isReferenceList(value) ? parseReferences(value) : [this.parse(value)]
  }

  /** Throws SEAL_REFERENCE_INVALID. */
  parse(value: Uint8Array | string | Reference): Reference {
    if (typeof value !== 'object' || value === null) return parseReference(value)
    const isBytes = value instanceof Uint8Array
    const near = isBytes ? this.#near(value) : this.#nearParsed(value)
    if (near !== null) return near
    const reference = parseReference(value)
    this.#head = Buffer.from(referenceHead(reference))
    this.#last = reference
    return reference
  }

  /** The reference, when it is of the same segment and partition as the last one. */
  #near(value: Uint8Array): Reference | null {
    const [head, last] = [this.#head, this.#last]
    if (last === null || !startsWith(value, 0, head)) return null
    this.#at = head.length
    const offset = this.#number(value)
    if (offset < 0 || !startsWith(value, this.#at, POSITION)) return null
    this.#at += POSITION.length
    const position = this.#number(value)
    if (position < 0 || !startsWith(value, this.#at, LENGTH)) return null
    this.#at += LENGTH.length
    const length = this.#number(value)
    if (value[this.#at] !== END || this.#at + 1 !== value.length) return null
    if (!isFit(position, length)) return null
    const { object, topic, partition } = last
    return { object, topic, partition, offset, position, length }
  }

  /** A parsed reference, when it is of the same segment and partition as the last one. */
  #nearParsed(value: Reference): Reference | null {
    const last = this.#last
    const { object, topic, partition, offset, position, length } = value
    const isSame =
      last !== null &&
      object === last.object &&
      topic === last.topic &&
      partition === last.partition &&
      !('v' in value)
    if (!isSame || !isCount(offset) || !isCount(position) || !isCount(length)) return null
    return isFit(position, length) ? { object, topic, partition, offset, position, length } : null
  }

  /** A whole number as JSON writes it, or -1; moves behind it. */
  #number(value: Uint8Array): number {
    const from = this.#at
    let number = 0
    let digit = value[this.#at] ?? END
    while (digit >= ZERO && digit <= NINE) {
      number = number * 10 + digit - ZERO
      digit = value[++this.#at] ?? END
    }
    const digits = this.#at - from
    const isCanonical = digits === 1 || (digits > 1 && digits <= DIGITS_MAX && value[from] !== ZERO)
    return isCanonical ? number : -1
  }
}

function isCount(number: unknown): boolean {
  return Number.isSafeInteger(number) && (number as number) >= 0
}

function isFit(position: number, length: number): boolean {
  return (
    length >= FRAME_OVERHEAD_BYTES &&
    length <= FRAME_BYTES_MAX &&
    position + length <= SEGMENT_BYTES_MAX
  )
}

function startsWith(value: Uint8Array, at: number, head: Buffer): boolean {
  const end = at + head.length
  return end < value.length && head.compare(value, at, end) === 0
}
