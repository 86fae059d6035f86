import { SealError } from '../errors.ts'
import { isId } from './ids.ts'

/** Says that a segment was destroyed on purpose (docs/format.md, "Shred mark"). */
export interface ShredMark {
  readonly segmentId: string
  readonly dekId: string
  /** Key of the object within the bucket, as it was. */
  readonly object: string
  readonly atMs: number
  readonly by: string
}

/** A mark is a few hundred bytes. */
export const SHRED_MARK_BYTES_MAX = 8 * 1024

/** The bytes of a mark: one JSON object and a line feed. */
export function encodeShredMark({ segmentId, dekId, object, atMs, by }: ShredMark): Buffer {
  return Buffer.from(`${JSON.stringify({ v: 1, segmentId, dekId, object, atMs, by })}\n`)
}

/** Reads a mark. Throws SEAL_MALFORMED for what {@link encodeShredMark} did not write. */
export function decodeShredMark(bytes: Uint8Array): ShredMark {
  const { v, segmentId, dekId, object, atMs, by } = fieldsOf(bytes)
  const isMark =
    v === 1 &&
    typeof segmentId === 'string' &&
    isId(segmentId) &&
    typeof dekId === 'string' &&
    isId(dekId) &&
    typeof object === 'string' &&
    typeof atMs === 'number' &&
    typeof by === 'string'
  if (!isMark) throw noMark()
  return { segmentId, dekId, object, atMs, by }
}

function fieldsOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // It is no JSON: said below.
  }
  throw noMark()
}

function noMark(): SealError {
  return new SealError('SEAL_MALFORMED', 'it is no mark of a shredded segment')
}
