import { crc32 } from 'node:zlib'
import { SealError } from '../errors.ts'
import { type Cursor, readVarint, VARINT_BYTES_MAX, writeVarint } from '../format/varint.ts'
import { type FrameRun, RUN_MESSAGES_MAX } from './frame-runs.ts'

/** A run as it is stored: what it is found by, and the frames in a few bytes each. */
export interface PackedRun {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly count: number
  readonly packed: Buffer
}

const VERSION = 1
/** Version u8, CRC32 u32. */
const HEAD_BYTES = 5
const NUMBERS_PER_FRAME = 3
const PACKED_BYTES_MAX = HEAD_BYTES + VARINT_BYTES_MAX * (1 + NUMBERS_PER_FRAME * RUN_MESSAGES_MAX)

const SKIPS = 1
const LEAVES_GAP = 2
const FLAGS = 4

/** Written and copied out of within one call. */
const scratch = Buffer.alloc(PACKED_BYTES_MAX)
const covered = Buffer.alloc(21)

/**
 * Packs a run of at most {@link RUN_MESSAGES_MAX} frames:
 *
 *     version u8 = 1 | CRC32 u32 | position of the first frame | one entry a frame
 *     entry: (zigzag(length - length before) * 4 + flags) | skipped offsets? | bytes between?
 *
 * Numbers are varints; the length before the first is 0. Flag 1 says that offsets were skipped since
 * the frame before, and flag 2 that its end is not where this frame begins; the number of each follows,
 * and is never 0. So a frame that follows its predecessor takes one to two bytes, whatever its offset.
 * The CRC is over the version, the two offsets (i64), the count (u32) and all behind the CRC.
 *
 * There is no key in it: it tells what accident did, not what somebody wrote. Whoever may write here
 * can also forge whole rows; that is told by opening what they name.
 */
export function packRun({ offset, position, length }: FrameRun): PackedRun {
  const count = offset.length
  let at = writeVarint(scratch, HEAD_BYTES, position[0] as number)
  let lengthBefore = 0
  let next = offset[0] as number
  let end = position[0] as number
  for (let i = 0; i < count; i++) {
    const skipped = (offset[i] as number) - next
    const gap = (position[i] as number) - end
    const flags = (skipped === 0 ? 0 : SKIPS) + (gap === 0 ? 0 : LEAVES_GAP)
    at = writeVarint(scratch, at, zigzag((length[i] as number) - lengthBefore) * FLAGS + flags)
    if (skipped !== 0) at = writeVarint(scratch, at, skipped)
    if (gap !== 0) at = writeVarint(scratch, at, gap)
    lengthBefore = length[i] as number
    next = (offset[i] as number) + 1
    end = (position[i] as number) + lengthBefore
  }
  const packed = Buffer.from(scratch.subarray(0, at))
  const run = { baseOffset: offset[0] as number, lastOffset: next - 1, count, packed }
  packed.writeUInt8(VERSION, 0)
  packed.writeUInt32BE(checksum(run), 1)
  return run
}

/** Takes a packed run apart, in time and memory bounded by its count. Throws SEAL_MALFORMED. */
export function unpackRun(
  source: { readonly topic: string; readonly partition: number },
  run: PackedRun,
): FrameRun {
  const { baseOffset, lastOffset, count, packed } = run
  if (![baseOffset, lastOffset].every(Number.isSafeInteger))
    throw malformed('an offset beyond 2^53')
  if (count < 1 || count > RUN_MESSAGES_MAX) throw malformed(`a count of ${count}`)
  if (packed.length < HEAD_BYTES) throw malformed('too short')
  if (packed.readUInt8(0) !== VERSION) throw malformed(`unknown version ${packed.readUInt8(0)}`)
  if (packed.readUInt32BE(1) !== checksum(run)) throw malformed('its checksum does not match')
  const offset = new Float64Array(count)
  const position = new Float64Array(count)
  const length = new Uint32Array(count)
  const cursor: Cursor = { bytes: packed, at: HEAD_BYTES }
  let end = readVarint(cursor)
  let next = baseOffset
  let lengthBefore = 0
  for (let i = 0; i < count; i++) {
    const entry = readVarint(cursor)
    next += entry & SKIPS ? readCount(cursor) : 0
    end += entry & LEAVES_GAP ? readCount(cursor) : 0
    lengthBefore += unzigzag(Math.floor(entry / FLAGS))
    if (lengthBefore < 0 || lengthBefore > 0xffff_ffff) throw malformed('a length out of bounds')
    if (!Number.isSafeInteger(next) || !Number.isSafeInteger(end)) {
      throw malformed('an offset or a position beyond 2^53')
    }
    offset[i] = next
    position[i] = end
    length[i] = lengthBefore
    next += 1
    end += lengthBefore
  }
  if (cursor.at !== packed.length) throw malformed('bytes behind its end')
  if (offset[count - 1] !== lastOffset) throw malformed('it ends at another offset')
  return { ...source, offset, position, length }
}

function checksum({ baseOffset, lastOffset, count, packed }: PackedRun): number {
  covered.writeUInt8(VERSION, 0)
  covered.writeBigInt64BE(BigInt(baseOffset), 1)
  covered.writeBigInt64BE(BigInt(lastOffset), 9)
  covered.writeUInt32BE(count, 17)
  return crc32(packed.subarray(HEAD_BYTES), crc32(covered))
}

function readCount(cursor: Cursor): number {
  const value = readVarint(cursor)
  if (value === 0) throw malformed('a number that is announced, but 0')
  return value
}

/** Small numbers of either sign as small ones without: 0, -1, 1, -2 become 0, 1, 2, 3. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

function malformed(detail: string): SealError {
  return new SealError('SEAL_MALFORMED', `packed run: ${detail}`)
}
