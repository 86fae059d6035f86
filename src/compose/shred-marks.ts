import { createHash } from 'node:crypto'
import { isSealError } from '../errors.ts'
import { decodeShredMark, encodeShredMark, SHRED_MARK_BYTES_MAX } from '../format/shred-mark.ts'
import type { WritableShredMarks } from '../incident/shred.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import type { ShredMarks } from '../reader/shred-marks.ts'
import { type ObjectNames, shredMarkKey } from '../segment/object-key.ts'
import type { ObjectStore } from '../segment/object-store.ts'

/** The marks of shredded segments under a prefix. The reader stays the caller's to close. */
export function shredMarksOf(
  objects: Pick<ObjectReader, 'readEnd'>,
  names: ObjectNames,
): ShredMarks {
  return {
    async find(segmentId) {
      try {
        const { bytes } = await objects.readEnd(
          shredMarkKey(names, segmentId),
          SHRED_MARK_BYTES_MAX,
        )
        return decodeShredMark(bytes)
      } catch (error) {
        if (isSealError(error, 'SEAL_OBJECT_MISSING')) return null
        throw error
      }
    },
  }
}

/** The same for those who write them. A mark that is there stays as it is. */
export function writableShredMarksOf(
  objects: Pick<ObjectReader, 'readEnd'>,
  store: Pick<ObjectStore, 'put'>,
  names: ObjectNames,
): WritableShredMarks {
  const marks = shredMarksOf(objects, names)
  return {
    ...marks,
    async put(mark) {
      if ((await marks.find(mark.segmentId)) !== null) return
      const bytes = encodeShredMark(mark)
      const token = createHash('sha256').update(bytes).digest('base64url')
      await store.put(shredMarkKey(names, mark.segmentId), bytes, { 'ss-u': token })
    },
  }
}
