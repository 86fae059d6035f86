import { isSealError } from '../errors.ts'
import { decodeHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from '../format/segment-header.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import type { SegmentHeaders } from './verify-wrap.ts'

/** Objects that are looked for: those of an old DEK may all be gone. */
const LOOKS_MAX = 20

/** Headers of the segments that are on record under a DEK, as they lie in the bucket. */
export function segmentHeaders(
  mapping: Pick<MappingReader, 'segmentsOfDek'>,
  objects: Pick<ObjectReader, 'readRange'>,
): SegmentHeaders {
  return {
    async *headersUnder(dekId) {
      let looks = 0
      for await (const { state, objectKey } of mapping.segmentsOfDek(dekId)) {
        if (state !== 'published' && state !== 'sealed') continue
        const header = await headerAt(objects, objectKey)
        if (header?.dekId === dekId) yield header
        if (++looks === LOOKS_MAX) return
      }
    },
  }
}

/** null when there is no segment any more. */
async function headerAt(
  objects: Pick<ObjectReader, 'readRange'>,
  objectKey: string,
): Promise<SegmentHeader | null> {
  try {
    const { bytes } = await objects.readRange(objectKey, 0, SEGMENT_HEADER_BYTES)
    return decodeHeader(bytes)
  } catch (error) {
    const isGone = isSealError(error, 'SEAL_OBJECT_MISSING', 'SEAL_MALFORMED', 'SEAL_SUITE_UNKNOWN')
    if (isGone) return null
    throw error
  }
}
