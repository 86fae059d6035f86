import { isDeepStrictEqual } from 'node:util'
import { isSealError, SealError } from '../errors.ts'
import { FRAME_OVERHEAD_BYTES } from '../format/frame.ts'
import {
  footerBytesOf,
  parseFooter,
  type SegmentFooter,
  TRAILER_BYTES,
} from '../format/segment-footer.ts'
import { decodeHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from '../format/segment-header.ts'
import { type DecodedMetadata, decodeMetadata } from '../format/segment-metadata.ts'
import {
  MESSAGE_BYTES_MAX,
  SEGMENT_MESSAGES_MAX,
  SOURCES_PER_SEGMENT_MAX,
  TOPIC_NAME_LENGTH_MAX,
} from '../limits.ts'
import type { ObjectEnd, ObjectReader } from './object-reader.ts'

/** What a segment says of itself, as far as it can be told without a key. */
export interface SegmentInspection {
  /** Key of the object within the bucket. */
  readonly object: string
  /** The version that was looked at; null for the current one. */
  readonly versionId: string | null
  readonly objectBytes: number
  /** Of the version that was looked at, as the store names it. */
  readonly etag: string
  /** The object metadata as stored: every later read must bring the same. */
  readonly pairs: Readonly<Record<string, string>>
  readonly metadata: DecodedMetadata
  /** The 160 bytes in front of the first frame. */
  readonly header: Buffer
  readonly footer: SegmentFooter
  readonly footerBytes: number
}

type InspectedPlace = Pick<SegmentInspection, 'object' | 'pairs'> &
  Partial<Pick<SegmentInspection, 'versionId'>>

/** What the first request brings; the footers of most segments are shorter. */
const END_BYTES = 256 * 1024
/** 24 bytes are more than the four numbers of a frame take, 1 KiB more than a source does. */
const FOOTER_BYTES_MAX = SEGMENT_MESSAGES_MAX * 24 + SOURCES_PER_SEGMENT_MAX * 1024
const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + FRAME_OVERHEAD_BYTES
/** The furthest that a Date reaches. */
const TIME_MS_MAX = 8.64e15
const TOPIC = /^[A-Za-z0-9._-]+$/
const BASE64_OF_MAGIC = 'iVNTRw0KG'

/**
 * Reads header, metadata and footer of a segment and holds them against each other: one request
 * for a small object, two for a larger one, three for one of very many frames. Needs no key, so it
 * finds damage and not forgery; {@link verifySegment} finds both. Memory is bounded by the footer.
 * Throws SEAL_MALFORMED and SEAL_SUITE_UNKNOWN with the name of the object, SEAL_CONTEXT_MISMATCH
 * when the object is not where its segment belongs, SEAL_OBJECT_MISSING and SEAL_STORE_*. Looks at
 * the current version unless another one is named.
 */
export async function inspectSegment(
  objects: ObjectReader,
  object: string,
  versionId: string | null = null,
): Promise<SegmentInspection> {
  const end = await objects.readEnd(object, END_BYTES, versionId)
  const { objectBytes, metadata: pairs, etag } = end
  const place = { object, versionId, pairs }
  if (objectBytes < SEGMENT_HEADER_BYTES) {
    throw malformed(`${object}: ${objectBytes} bytes are too few for a segment`)
  }
  const header = await bytesOf(objects, place, end, 0, SEGMENT_HEADER_BYTES)
  const metadata = naming(object, () => checkHeader(header, pairs))
  if (!object.endsWith(`/${metadata.header.segmentId}.seal`)) {
    throw new SealError(
      'SEAL_CONTEXT_MISMATCH',
      `${object} holds segment ${metadata.header.segmentId}, which belongs under its own name`,
    )
  }
  const footerBytes = naming(object, () => footerLengthOf(end))
  const footerAt = objectBytes - footerBytes
  const bytes = await bytesOf(objects, place, end, footerAt, footerBytes)
  const footer = naming(object, () => checkFooter(parseFooter(bytes, objectBytes), metadata))
  return { ...place, etag, objectBytes, metadata, header, footer, footerBytes }
}

/**
 * Reads a range of an object that was looked at before. The result is the caller's. Throws
 * SEAL_OBJECT_CHANGED when another one has taken its place, else what readRange throws.
 */
export async function readInspected(
  objects: ObjectReader,
  { object, versionId, pairs }: InspectedPlace,
  position: number,
  length: number,
): Promise<Buffer> {
  const { bytes, metadata } = await objects.readRange(object, position, length, versionId)
  if (isDeepStrictEqual(metadata, pairs)) return bytes
  const message = `${object} was replaced while it was read, try again`
  throw new SealError('SEAL_OBJECT_CHANGED', message)
}

/** Runs `check`, and puts `what` in front of the message of a SealError that it throws. */
export function naming<T>(what: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!isSealError(error)) throw error
    throw new SealError(error.code, `${what}: ${error.message}`, { cause: error })
  }
}

/** Bytes of the object, out of the end where that holds them already; asks for the rest alone. */
async function bytesOf(
  objects: ObjectReader,
  place: InspectedPlace,
  { bytes, objectBytes }: ObjectEnd,
  position: number,
  length: number,
): Promise<Buffer> {
  const endAt = objectBytes - bytes.length
  const held = bytes.subarray(Math.max(0, position - endAt), Math.max(0, position - endAt + length))
  if (held.length === length) return held
  const rest = await readInspected(objects, place, position, length - held.length)
  return Buffer.concat([rest, held])
}

function checkHeader(header: Buffer, pairs: Readonly<Record<string, string>>): DecodedMetadata {
  if (header.toString('latin1', 0, BASE64_OF_MAGIC.length) === BASE64_OF_MAGIC) {
    throw malformed('it is a segment as base64 text; something encoded it on its way')
  }
  const inBody = decodeHeader(header)
  const metadata = decodeMetadata(pairs)
  if (!isSameHeader(inBody, metadata.header)) {
    throw malformed('the header in the object is not the one in its metadata')
  }
  if (Math.abs(inBody.createdAtMs) > TIME_MS_MAX) throw malformed('an impossible creation time')
  return metadata
}

function isSameHeader(a: SegmentHeader, b: SegmentHeader): boolean {
  return (
    Buffer.compare(a.prefix, b.prefix) === 0 && Buffer.compare(a.commitment, b.commitment) === 0
  )
}

/** Bounded before a byte is asked for: a forged length must not fill the memory. */
function footerLengthOf({ bytes, objectBytes }: ObjectEnd): number {
  const footerBytes = footerBytesOf(bytes.subarray(-TRAILER_BYTES))
  const bytesMax = Math.min(objectBytes - SEGMENT_HEADER_BYTES, FOOTER_BYTES_MAX)
  if (footerBytes <= bytesMax) return footerBytes
  throw malformed(`a footer of ${footerBytes} bytes does not fit`)
}

function checkFooter(footer: SegmentFooter, { clusterId }: DecodedMetadata): SegmentFooter {
  for (const source of footer.sources) {
    const { topic } = source
    if (topic.length > TOPIC_NAME_LENGTH_MAX || !TOPIC.test(topic)) {
      throw malformed('a source of its footer has no Kafka topic name')
    }
    if (source.clusterId !== clusterId) {
      throw malformed('its footer names another cluster than its metadata')
    }
  }
  if (footer.index.length.some((length) => length > FRAME_BYTES_MAX)) {
    throw malformed('its footer holds a frame that is too long')
  }
  return footer
}

function malformed(message: string): SealError {
  return new SealError('SEAL_MALFORMED', message)
}
