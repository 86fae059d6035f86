import { SealError } from '../errors.ts'
import { METADATA_BYTES_MAX, WRAPPED_DEK_BYTES_MAX } from '../limits.ts'
import { decodeHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'

/**
 * The user metadata of a segment object: one ranged GET returns it together with the bytes, both
 * of one version, so a frame and the metadata are all that a reader needs (docs/format.md).
 */
const NAME = {
  version: 'ss-v',
  header: 'ss-h',
  wrapped: 'ss-k',
  kekId: 'ss-kek',
  domain: 'ss-domain',
  cluster: 'ss-cluster',
  token: 'ss-u',
} as const

const METADATA_VERSION = '1'

/** What the metadata of a segment object says. */
export interface SegmentMetadata {
  /** The 160 header bytes. */
  readonly header: Uint8Array
  readonly wrapped: Uint8Array
  readonly kekId: string
  readonly keyDomain: string
  readonly clusterId: string
  /** Random per writing; tells an own write whose answer got lost from somebody else's. */
  readonly token: string
}

/** The name-value pairs to store. Values are ASCII: texts are percent-encoded, bytes base64url. */
export function encodeMetadata(metadata: SegmentMetadata): Record<string, string> {
  return {
    [NAME.version]: METADATA_VERSION,
    [NAME.header]: Buffer.from(metadata.header).toString('base64url'),
    [NAME.wrapped]: Buffer.from(metadata.wrapped).toString('base64url'),
    [NAME.kekId]: encodeURIComponent(metadata.kekId),
    [NAME.domain]: encodeURIComponent(metadata.keyDomain),
    [NAME.cluster]: encodeURIComponent(metadata.clusterId),
    [NAME.token]: metadata.token,
  }
}

/** Every Kafka so far gives its cluster an id of 22 characters. */
const CLUSTER_ID_LENGTH_MAX = 64
const TOKEN_LENGTH = 36

/** Bytes of metadata that the segments under a wrapped DEK will have at most. */
export function metadataBytesFor(
  dek: Pick<SegmentMetadata, 'wrapped' | 'kekId' | 'keyDomain'>,
): number {
  const header = new Uint8Array(SEGMENT_HEADER_BYTES)
  const clusterId = 'c'.repeat(CLUSTER_ID_LENGTH_MAX)
  const token = 't'.repeat(TOKEN_LENGTH)
  return bytesOf(encodeMetadata({ ...dek, header, clusterId, token }))
}

function bytesOf(pairs: Readonly<Record<string, string>>): number {
  return Object.values(NAME).reduce((sum, name) => {
    const value = pairs[name] ?? ''
    return sum + name.length + Buffer.byteLength(value)
  }, 0)
}

/** Metadata as read, with the header parsed. */
export interface DecodedMetadata extends Omit<SegmentMetadata, 'header'> {
  readonly header: SegmentHeader
}

/** Reads what {@link encodeMetadata} wrote. Throws SEAL_MALFORMED or SEAL_SUITE_UNKNOWN. */
export function decodeMetadata(pairs: Readonly<Record<string, string>>): DecodedMetadata {
  if (pairs[NAME.version] !== METADATA_VERSION) {
    throw malformed(
      pairs[NAME.version] === undefined ? 'not a sealstream segment' : 'unknown version',
    )
  }
  if (bytesOf(pairs) > METADATA_BYTES_MAX) throw malformed(`more than ${METADATA_BYTES_MAX} bytes`)
  const wrapped = decodeBytes(pairs, NAME.wrapped)
  if (wrapped.length === 0 || wrapped.length > WRAPPED_DEK_BYTES_MAX) {
    throw malformed(`wrapped key of ${wrapped.length} bytes`)
  }
  return {
    header: decodeHeader(decodeBytes(pairs, NAME.header)),
    wrapped,
    kekId: decodeText(pairs, NAME.kekId),
    keyDomain: decodeText(pairs, NAME.domain),
    clusterId: decodeText(pairs, NAME.cluster),
    token: decodeText(pairs, NAME.token),
  }
}

function decodeBytes(pairs: Readonly<Record<string, string>>, name: string): Buffer {
  const text = pairs[name] ?? ''
  const bytes = Buffer.from(text, 'base64url')
  // Buffer skips what is not base64url; only the canonical text may pass.
  if (text === '' || bytes.toString('base64url') !== text)
    throw malformed(`${name} is not base64url`)
  return bytes
}

function decodeText(pairs: Readonly<Record<string, string>>, name: string): string {
  try {
    const given = pairs[name] ?? ''
    const text = decodeURIComponent(given)
    // One form only: HTTP joins a name that is there twice by a comma and a space.
    if (text !== '' && encodeURIComponent(text) === given) return text
  } catch {
    // Falls through to the one answer for text that is absent or broken.
  }
  throw malformed(`${name} is missing or not percent-encoded`)
}

function malformed(detail: string): SealError {
  return new SealError('SEAL_MALFORMED', `object metadata: ${detail}`)
}
