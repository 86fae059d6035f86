import { crc32 } from 'node:zlib'
import { SealError } from '../errors.ts'
import { SEGMENT_MESSAGES_MAX, SOURCES_PER_SEGMENT_MAX } from '../limits.ts'
import { FRAME_OVERHEAD_BYTES } from './frame.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { type Cursor, readVarint, VARINT_BYTES_MAX, writeVarint } from './varint.ts'

/** Bytes of the tag over header, sources and index. */
export const FOOTER_TAG_BYTES = 32
/** The last bytes of every segment: footer length u32, CRC32 u32, end magic. */
export const TRAILER_BYTES = 16

const MAGIC = 0x53534654
const END_MAGIC = Buffer.from([0x89, 0x53, 0x53, 0x45, 0x0d, 0x0a, 0x1a, 0x0a])
const FIXED_BYTES = 18
const U32_MAX = 0xffff_ffff
const NUMBERS_PER_FRAME = 4
const FIRST_CAPACITY_BYTES = 4 * 1024

/** A (topic, partition) of a cluster that the segment holds messages of. */
export interface FooterSource {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
}

/** One frame as the index has it. */
export interface IndexedFrame {
  readonly position: number
  readonly length: number
  readonly seq: number
  readonly source: number
  readonly offset: number
}

/** The same of all frames as columns, `count` entries each: some 26 bytes a frame. */
export interface FrameIndex {
  readonly count: number
  readonly position: Float64Array
  readonly length: Uint32Array
  readonly seq: Uint32Array
  readonly source: Uint16Array
  readonly offset: Float64Array
}

/** A footer as read. `covered` and `tag` are views of the bytes that were parsed. */
export interface SegmentFooter {
  /** Where the footer begins, and the frames end. */
  readonly framesEnd: number
  readonly sources: readonly FooterSource[]
  readonly index: FrameIndex
  /** The index frame by frame, made when it is first asked for: an object a frame. */
  readonly frames: readonly IndexedFrame[]
  /** What the tag is over, behind the header. */
  readonly covered: Uint8Array
  readonly tag: Uint8Array
}

/**
 * Collects the index of a segment while its frames are packed: a few bytes a frame, no object. The
 * footer makes the segment complete by itself (docs/format.md, "Footer").
 */
export class FooterBuilder {
  readonly #lastOffsets: number[] = []
  #index: Buffer = Buffer.allocUnsafe(FIRST_CAPACITY_BYTES)
  #size = 0
  #frameCount = 0
  #nextSeq = 0

  /** Adds the next frame. Sequence numbers rise, and so do the offsets of a source. */
  add(length: number, seq: number, source: number, offset: number): void {
    if (this.#index.length - this.#size < NUMBERS_PER_FRAME * VARINT_BYTES_MAX) this.#grow()
    const delta = offset - (this.#lastOffsets[source] ?? 0)
    if (delta < 0 || seq < this.#nextSeq) throw malformed('frames out of order')
    let at = writeVarint(this.#index, this.#size, length)
    at = writeVarint(this.#index, at, seq - this.#nextSeq)
    at = writeVarint(this.#index, at, source)
    this.#size = writeVarint(this.#index, at, delta)
    this.#lastOffsets[source] = offset
    this.#nextSeq = seq + 1
    this.#frameCount++
  }

  /** What the tag is to be made over: everything of the footer before it. The result is the caller's. */
  covered(sources: readonly FooterSource[], framesEnd: number): Uint8Array {
    const fixed = Buffer.alloc(FIXED_BYTES)
    fixed.writeUInt32BE(MAGIC, 0)
    fixed.writeUInt32BE(this.#frameCount, 4)
    fixed.writeUInt16BE(sources.length, 8)
    fixed.writeBigUInt64BE(BigInt(framesEnd), 10)
    return Buffer.concat([fixed, ...sources.map(encodeSource), this.#index.subarray(0, this.#size)])
  }

  #grow(): void {
    const grown = Buffer.allocUnsafe(this.#index.length * 2)
    this.#index.copy(grown, 0, 0, this.#size)
    this.#index = grown
  }
}

/** Joins what is covered, its tag and the trailer to the bytes of a footer. */
export function joinFooter(covered: Uint8Array, tag: Uint8Array): Uint8Array {
  if (tag.length !== FOOTER_TAG_BYTES) throw malformed(`tag of ${tag.length} bytes`)
  const trailer = Buffer.alloc(TRAILER_BYTES)
  const footer = Buffer.concat([covered, tag, trailer])
  const trailerAt = footer.length - TRAILER_BYTES
  footer.writeUInt32BE(footer.length, trailerAt)
  footer.writeUInt32BE(crc32(footer.subarray(0, trailerAt + 4)), trailerAt + 4)
  footer.set(END_MAGIC, trailerAt + 8)
  return footer
}

/**
 * How long the footer is, from the last 16 bytes of a segment. A hint: a wrong one can only fail
 * the checks of {@link parseFooter}. Throws SEAL_MALFORMED when a segment cannot end like that.
 */
export function footerBytesOf(trailer: Uint8Array): number {
  const view = Buffer.from(trailer.buffer, trailer.byteOffset, trailer.length)
  if (view.length !== TRAILER_BYTES || !view.subarray(8).equals(END_MAGIC)) {
    throw malformed(
      'the object does not end as a segment does; it is truncated, or bytes follow it',
    )
  }
  return view.readUInt32BE(0)
}

/**
 * Reads a footer: structure and checksum. Whether it is genuine is what its tag tells.
 * `objectBytes` is the size of the whole object. Throws SEAL_MALFORMED.
 */
export function parseFooter(bytes: Buffer, objectBytes: number): SegmentFooter {
  const tagAt = bytes.length - TRAILER_BYTES - FOOTER_TAG_BYTES
  if (tagAt < FIXED_BYTES) throw malformed('too short')
  const trailerAt = bytes.length - TRAILER_BYTES
  if (footerBytesOf(bytes.subarray(trailerAt)) !== bytes.length) throw malformed('wrong length')
  if (bytes.readUInt32BE(trailerAt + 4) !== crc32(bytes.subarray(0, trailerAt + 4))) {
    throw malformed('its checksum does not match')
  }
  if (bytes.readUInt32BE(0) !== MAGIC) throw malformed('wrong magic bytes')
  const frameCount = bytes.readUInt32BE(4)
  const sourceCount = bytes.readUInt16BE(8)
  if (frameCount === 0 || frameCount > SEGMENT_MESSAGES_MAX) throw malformed('frame count')
  if (sourceCount === 0 || sourceCount > SOURCES_PER_SEGMENT_MAX) throw malformed('source count')
  const framesEnd = Number(bytes.readBigUInt64BE(10))
  if (framesEnd + bytes.length !== objectBytes) throw malformed('it is not that of this object')
  const cursor = { bytes: bytes.subarray(0, tagAt), at: FIXED_BYTES }
  const sources = Array.from({ length: sourceCount }, () => readSource(cursor))
  const { index, end } = readIndex(cursor, frameCount, sourceCount)
  if (cursor.at !== tagAt || end !== framesEnd) throw malformed('its index does not add up')
  const tag = bytes.subarray(tagAt, trailerAt)
  let frames: IndexedFrame[] | null = null
  return {
    ...{ framesEnd, sources, index, covered: cursor.bytes, tag },
    get frames() {
      frames ??= framesOf(index)
      return frames
    },
  }
}

function readIndex(cursor: Cursor, count: number, sourceCount: number) {
  // Four bytes a frame at least: a forged count must not fill the memory.
  if (cursor.bytes.length - cursor.at < count * NUMBERS_PER_FRAME) throw malformed('too short')
  const lastOffsets = new Array<number>(sourceCount).fill(0)
  const index = emptyIndex(count)
  let position = SEGMENT_HEADER_BYTES
  let nextSeq = 0
  for (let i = 0; i < count; i++) {
    const length = readVarint(cursor)
    const seq = nextSeq + readVarint(cursor)
    const source = readVarint(cursor)
    const offset = (lastOffsets[source] ?? Number.NaN) + readVarint(cursor)
    const isFrame = length > FRAME_OVERHEAD_BYTES && length <= U32_MAX && seq <= U32_MAX
    if (!isFrame || !Number.isSafeInteger(offset)) {
      throw malformed('its index holds an impossible frame')
    }
    index.position[i] = position
    index.length[i] = length
    index.seq[i] = seq
    index.source[i] = source
    index.offset[i] = offset
    lastOffsets[source] = offset
    position += length
    nextSeq = seq + 1
  }
  return { index, end: position }
}

function emptyIndex(count: number): FrameIndex {
  return {
    count,
    position: new Float64Array(count),
    length: new Uint32Array(count),
    seq: new Uint32Array(count),
    source: new Uint16Array(count),
    offset: new Float64Array(count),
  }
}

function framesOf({ count, position, length, seq, source, offset }: FrameIndex): IndexedFrame[] {
  return Array.from({ length: count }, (_, i) => ({
    position: position[i] as number,
    length: length[i] as number,
    seq: seq[i] as number,
    source: source[i] as number,
    offset: offset[i] as number,
  }))
}

function encodeSource({ clusterId, topic, partition }: FooterSource): Buffer {
  const cluster = Buffer.from(clusterId, 'utf8')
  const name = Buffer.from(topic, 'utf8')
  const bytes = Buffer.alloc(8)
  bytes.writeInt32BE(partition, 0)
  bytes.writeUInt16BE(cluster.length, 4)
  bytes.writeUInt16BE(name.length, 6)
  return Buffer.concat([bytes, cluster, name])
}

function readSource(cursor: Cursor): FooterSource {
  const { bytes } = cursor
  if (bytes.length - cursor.at < 8) throw malformed('too short')
  const partition = bytes.readInt32BE(cursor.at)
  const clusterEnd = cursor.at + 8 + bytes.readUInt16BE(cursor.at + 4)
  const end = clusterEnd + bytes.readUInt16BE(cursor.at + 6)
  if (end > bytes.length || partition < 0) throw malformed('an impossible source')
  const clusterId = bytes.toString('utf8', cursor.at + 8, clusterEnd)
  const topic = bytes.toString('utf8', clusterEnd, end)
  cursor.at = end
  return { clusterId, topic, partition }
}

function malformed(detail: string): SealError {
  return new SealError('SEAL_MALFORMED', `segment footer: ${detail}`)
}
