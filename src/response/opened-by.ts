import { isSealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import { decodeMetadata } from '../format/segment-metadata.ts'
import type { Kms } from '../keys/kms.ts'
import { kmsContextOf } from '../keys/kms-context.ts'
import type { ObjectReader } from '../reader/object-reader.ts'

const OBJECTS_AT_ONCE = 8

/** What says that the KEK does not open it. Missing rights, say, are no such answer. */
const NOT_OPENED = [
  'SEAL_KEY_TAMPERED',
  'SEAL_KEK_DISABLED',
  'SEAL_KEK_DESTROYED',
  'SEAL_OBJECT_MISSING',
] as const

/**
 * Those of the objects whose own metadata has a wrap that this KEK opens, as the KMS says: each is
 * tried, whatever it says of its KEK. An object that is gone is opened by nothing. Throws whatever says
 * nothing about the KEK: missing rights, services that do not answer, objects that are no segments.
 */
export async function openedBy(
  { objects, kms }: { readonly objects: ObjectReader; readonly kms: Pick<Kms, 'unwrap'> },
  objectKeys: Iterable<string> | AsyncIterable<string>,
  kekId: string,
  onTried: () => void = () => {},
): Promise<readonly string[]> {
  const opened: string[] = []
  await forEachOf(objectKeys, OBJECTS_AT_ONCE, async (key) => {
    if (await isOpenedBy({ objects, kms }, key, kekId)) opened.push(key)
    onTried()
  })
  return opened
}

async function isOpenedBy(
  { objects, kms }: { readonly objects: ObjectReader; readonly kms: Pick<Kms, 'unwrap'> },
  objectKey: string,
  kekId: string,
): Promise<boolean> {
  try {
    const { wrapped, keyDomain, header } = decodeMetadata(
      (await objects.readEnd(objectKey, 1)).metadata,
    )
    const plaintext = await kms.unwrap(kekId, wrapped, kmsContextOf(header.dekId, keyDomain))
    plaintext.fill(0)
    return true
  } catch (error) {
    if (isSealError(error, ...NOT_OPENED)) return false
    throw error
  }
}
