import { isSealError, SealError } from '../errors.ts'
import type { ShredMark } from '../format/shred-mark.ts'

/** The marks of segments that were destroyed on purpose. Errors: SEAL_MALFORMED, SEAL_STORE_*. */
export interface ShredMarks {
  /** null when there is none. */
  find(segmentId: string): Promise<ShredMark | null>
}

const SEGMENT_NAME = /([0-9a-f-]{36})\.seal$/

/** `error`, or SEAL_SHREDDED in its place when the object that is missing was destroyed on purpose. */
export async function shreddedOr(
  marks: ShredMarks | undefined,
  object: string,
  error: unknown,
): Promise<unknown> {
  const segmentId = SEGMENT_NAME.exec(object)?.[1]
  if (marks === undefined || segmentId === undefined) return error
  if (!isSealError(error, 'SEAL_OBJECT_MISSING')) return error
  // A reader without rights on the marks is told what it would be told without them.
  const mark = await marks.find(segmentId).catch(() => null)
  if (mark === null || mark.object !== object) return error
  const at = new Date(mark.atMs).toISOString()
  return new SealError(
    'SEAL_SHREDDED',
    `${object} was shredded at ${at}; its messages are destroyed`,
  )
}
