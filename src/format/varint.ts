import { SealError } from '../errors.ts'

/** Seven bits a byte, low ones first (LEB128); 2^53 - 1 takes eight of them. */
export const VARINT_BYTES_MAX = 8

/** Writes a whole number from 0 to 2^53 - 1 at `at` and returns the position after it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value
  let end = at
  while (rest >= 0x80) {
    target[end++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  target[end++] = rest
  return end
}

/** Bytes with a place in them that reading moves. */
export interface Cursor {
  readonly bytes: Buffer
  at: number
}

/** Reads a number back. Throws SEAL_MALFORMED when it does not end, is too large or not the shortest. */
export function readVarint(cursor: Cursor): number {
  let value = 0
  let scale = 1
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) break
    value += (byte & 0x7f) * scale
    if (!Number.isSafeInteger(value)) break
    if (byte < 0x80) {
      if (byte === 0 && i > 0) break
      return value
    }
    scale *= 0x80
  }
  throw new SealError('SEAL_MALFORMED', 'a number of the index is not in its shortest form')
}
