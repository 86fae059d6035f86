import { isSealError } from '../errors.ts'
import { decodeMetadata } from '../format/segment-metadata.ts'
import type { ObjectReader } from './object-reader.ts'

/**
 * The DEK that the segment at `objectKey` is under now, or one version of it, as its metadata says;
 * null when nothing is there, or no segment. Throws SEAL_STORE_*.
 */
export async function dekOfObject(
  objects: Pick<ObjectReader, 'readEnd'>,
  objectKey: string,
  versionId: string | null = null,
): Promise<string | null> {
  try {
    const { metadata } = await objects.readEnd(objectKey, 1, versionId)
    return decodeMetadata(metadata).header.dekId
  } catch (error) {
    if (isSealError(error, 'SEAL_OBJECT_MISSING', 'SEAL_MALFORMED', 'SEAL_SUITE_UNKNOWN'))
      return null
    throw error
  }
}
